package docs

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

const (
	// reference is the part of QEMU 10.0's query-qmp-schema that is about what
	// we have.
	reference = "../qapi/testdata/qmp-schema-10.0.json"
	// everything has the names of all its commands and events.
	everything = "testdata/qemu-10.0.txt"
)

// entity is SchemaInfo as far as coverage goes.
type entity struct {
	Name     string
	MetaType string `json:"meta-type"`
	Arg      string `json:"arg-type"`
	Ret      string `json:"ret-type"`
	Element  string `json:"element-type"`
	Values   []string
	Members  []struct{ Name, Type string }
	Variants []struct{ Case, Type string }
}

// coverage tells what of QEMU's schema is here. That what is here looks the
// same there is qapi's TestLikeQEMU.
func coverage(t *testing.T, s *qapi.Schema) string {
	recorded, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	theirs := entities(t, recorded)
	list, err := os.ReadFile(everything)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		kind, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, ok := theirs[name]; !ok && kind != "#" {
			theirs[name] = entity{Name: name, MetaType: kind}
		}
	}
	ours := entities(t, qobject.Append(nil, s.Introspect()))
	var b strings.Builder
	b.WriteString("| | QEMU 10.0 | here | besides |\n|---|---|---|---|\n")
	for _, kind := range []string{"command", "event"} {
		all, have := names(theirs, kind), names(ours, kind)
		both, extra := 0, []string{}
		for _, name := range have {
			if slices.Contains(all, name) {
				both++
			} else {
				extra = append(extra, "`"+name+"`")
			}
		}
		fmt.Fprintf(&b, "| %ss | %d | %d | %s |\n", kind, len(all), both, strings.Join(extra, ", "))
	}
	b.WriteString("\nWhere a type has less than QEMU's (values, branches or members that are refused as unknown):\n\n" +
		"| where | not here |\n|---|---|\n")
	w := walk{ours: ours, theirs: theirs, seen: map[string]bool{}, out: &b}
	for _, kind := range []string{"command", "event"} {
		for _, name := range names(ours, kind) {
			w.compare("`"+name+"`", name, name)
		}
	}
	for _, kind := range []string{"command", "event"} {
		var missing []string
		have := names(ours, kind)
		for _, name := range names(theirs, kind) {
			if !slices.Contains(have, name) {
				missing = append(missing, "`"+name+"`")
			}
		}
		fmt.Fprintf(&b, "\nThe %ss of QEMU's that are not here: %s.\n", kind, strings.Join(missing, ", "))
	}
	return b.String()
}

func entities(t *testing.T, text []byte) map[string]entity {
	t.Helper()
	var list []entity
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	all := map[string]entity{}
	for _, e := range list {
		all[e.Name] = e
	}
	return all
}

func names(all map[string]entity, kind string) (list []string) {
	for name, e := range all {
		if e.MetaType == kind {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// walk goes through two schemas side by side.
type walk struct {
	ours, theirs map[string]entity
	seen         map[string]bool // types of theirs that have been told of
	out          *strings.Builder
}

func (w *walk) compare(where, a, b string) {
	x, y := w.ours[a], w.theirs[b]
	if y.Name == "" || w.seen[b] {
		return
	}
	w.seen[b] = true
	w.tell(where, x.Values, y.Values)
	var have, all []string
	types := map[string]string{}
	for _, m := range y.Members {
		all, types[m.Name] = append(all, m.Name), m.Type
	}
	for _, m := range x.Members {
		have = append(have, m.Name)
		w.compare(inside(where, m.Name), m.Type, types[m.Name])
	}
	if x.MetaType == "object" {
		w.tell(where, have, all)
	}
	cases := map[string]string{}
	for _, v := range y.Variants {
		cases[v.Case] = v.Type
	}
	for _, v := range x.Variants {
		w.compare(where+"="+v.Case, v.Type, cases[v.Case])
	}
	for _, next := range [][2]string{{x.Arg, y.Arg}, {x.Ret, y.Ret}, {x.Element, y.Element}} {
		w.compare(where, next[0], next[1])
	}
}

func inside(where, member string) string {
	if member == "" {
		return where
	}
	return where + " " + member
}

// tell writes a line if have lacks some of all.
func (w *walk) tell(where string, have, all []string) {
	var missing []string
	for _, name := range all {
		if !slices.Contains(have, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		fmt.Fprintf(w.out, "| %s | %s |\n", where, strings.Join(missing, " "))
	}
}
