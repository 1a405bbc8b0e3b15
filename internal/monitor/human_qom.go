package monitor

import (
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/hmp/view"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// humanObjects are the human commands for the object tree.
func (h *handlers) humanObjects() hmp.Handlers[*coro.Co] {
	return hmp.Handlers[*coro.Co]{
		"qom-list":      {Run: h.humanQomList, Complete: h.completePath},
		"qom-get":       {Run: h.humanQomGet, Complete: h.completeProperty},
		"qom-set":       {Run: h.humanQomSet, Complete: h.completeProperty},
		"info qom-tree": {Run: h.infoQomTree, Complete: h.completePath},
	}
}

func (h *handlers) humanQomList(call *hmp.Call, args *hmp.Args) error {
	path := args.String("path")
	if path == "" {
		call.Printf("/\n")
		return nil
	}
	props, err := h.objectTree().List(path)
	for _, p := range props {
		call.Printf("%s (%s)\n", p.Name, p.Type)
	}
	return err
}

func (h *handlers) humanQomGet(call *hmp.Call, args *hmp.Args) error {
	v, err := h.objectTree().Get(args.String("path"), args.String("property"))
	if err == nil {
		call.Printf("%s\n", qobject.AppendPretty(nil, v))
	}
	return err
}

func (h *handlers) humanQomSet(_ *hmp.Call, args *hmp.Args) error {
	text := args.String("value")
	in := qom.KeyVal(text)
	if args.Bool("json") {
		v, err := qobject.ParseJSON(text)
		if err != nil {
			return err
		}
		in = qom.JSON(v)
	}
	path := args.String("path")
	o, ambiguous := h.objectTree().Resolve(path)
	switch {
	case ambiguous && args.Bool("json"): // without, QEMU says that there is none
		return qerr.New("Path '%s' is ambiguous", path)
	case o == nil || ambiguous:
		return qerr.Newc(qerr.DeviceNotFound, "Device '%s' not found", path)
	}
	return o.Set(args.String("property"), in)
}

func (h *handlers) infoQomTree(call *hmp.Call, args *hmp.Args) error {
	o := h.objectTree().Container("/machine")
	if path := args.String("path"); path != "" {
		var ambiguous bool
		switch o, ambiguous = h.objectTree().Resolve(path); {
		case ambiguous:
			call.Printf("Warning: Path '%s' is ambiguous.\n", path)
			return nil
		case o == nil:
			call.Printf("Path '%s' could not be resolved.\n", path)
			return nil
		}
	}
	view.PrintQomTree(call, viewObject(o))
	return nil
}

func viewObject(o *qom.Object) view.Object {
	v := view.Object{Name: o.Name(), Type: o.Type()}
	for c := range o.Children() {
		v.Children = append(v.Children, viewObject(c))
	}
	slices.SortFunc(v.Children, func(a, b view.Object) int { return strings.Compare(a.Name, b.Name) })
	return v
}

// completePath proposes the objects below the part of a path that is there.
func (h *handlers) completePath(args []string) []string {
	if len(args) > 1 {
		return nil
	}
	dir, _, _ := cutLast(args[0], "/")
	o, _ := h.objectTree().Resolve(dir + "/")
	if o == nil {
		return nil
	}
	var paths []string
	for c := range o.Children() {
		path := dir + "/" + c.Name()
		for range c.Children() {
			path += "/"
			break
		}
		paths = append(paths, path)
	}
	return paths
}

// cutLast cuts s at the last sep; without one, before is empty.
func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// completeProperty is for commands that take a path and a property, perhaps
// behind a flag.
func (h *handlers) completeProperty(args []string) []string {
	if len(args) > 1 && strings.HasPrefix(args[0], "-") {
		args = args[1:]
	}
	if len(args) == 1 {
		return h.completePath(args)
	}
	props, err := h.objectTree().List(strings.TrimSuffix(args[0], "/"))
	if err != nil || len(args) > 2 {
		return nil
	}
	var names []string
	for _, p := range props {
		names = append(names, p.Name)
	}
	return names
}
