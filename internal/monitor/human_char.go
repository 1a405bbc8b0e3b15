package monitor

import (
	"context"
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// humanChardevs are the human commands for character devices.
func (h *handlers) humanChardevs() hmp.Handlers[*coro.Co] {
	return hmp.Handlers[*coro.Co]{
		"chardev-add":    {RunCo: h.humanChardevAdd, Complete: completeBackend},
		"chardev-change": {RunCo: h.humanChardevChange, Complete: h.completeChardevChange},
		"chardev-remove": {RunCo: func(co *coro.Co, _ *hmp.Call, args *hmp.Args) error {
			return h.chardevRemove(co, args.String("id"))
		}, Complete: h.completeChardev},
		"chardev-send-break": {Run: func(_ *hmp.Call, args *hmp.Args) error {
			return h.s.config.Chardevs.SendBreak(args.String("id"))
		}, Complete: h.completeChardev},
		"ringbuf_write": {Run: h.humanRingWrite, Complete: h.completeRing},
		"ringbuf_read":  {Run: h.humanRingRead, Complete: h.completeRing},
		"info chardev":  {Run: func(call *hmp.Call, _ *hmp.Args) error { return h.infoChardev(call) }},
	}
}

// chardevOptions reads what chardev-add and chardev-change take. What is wrong
// with the list itself is said apart from the error, as QEMU does.
func chardevOptions(call *hmp.Call, text string) (*opts.Opts, error) {
	o, err := opts.ParseOpts(text, "backend")
	if err == nil {
		err = o.Check(chardev.Schema())
	}
	if err != nil {
		e := qerr.From(err)
		call.Printf("%s\n%s", e.Desc, e.Hint)
		return nil, qerr.New("Parsing chardev args failed")
	}
	return o, nil
}

func (h *handlers) humanChardevAdd(co *coro.Co, call *hmp.Call, args *hmp.Args) error {
	o, err := chardevOptions(call, args.String("args"))
	if err != nil {
		return err
	}
	if b, _ := o.Get("backend"); b == "help" || b == "?" {
		call.Printf("%s", chardev.Help())
		return nil
	}
	c, err := chardev.FromOpts(o, chardev.Later)
	if err == nil && h.s.config.Chardevs.Has(c.Label) {
		err = qerr.New("attempt to add duplicate property '%s' to object (type 'container')", c.Label)
	}
	if err == nil {
		err = c.Resolve(namedFDs(humanHolding(call)))
	}
	if err != nil {
		return err
	}
	var pty string
	gaveUp := h.blockUntil(co, nil, "chardev-add", func(ctx context.Context) {
		pty, err = h.s.config.Chardevs.Add(ctx, c)
	})
	if err != nil && gaveUp != nil {
		return gaveUp
	}
	if pty != "" {
		call.Printf("%s\n", Redirected(pty, c.Label))
	}
	return err
}

func (h *handlers) humanChardevChange(co *coro.Co, call *hmp.Call, args *hmp.Args) error {
	id := args.String("id")
	o, err := chardevOptions(call, args.String("args"))
	switch {
	case err != nil:
		return err
	case o.ID != "":
		return qerr.New("Unexpected 'id' parameter")
	}
	o.ID = id
	c, err := chardev.FromOpts(o, chardev.Later)
	if err == nil {
		err = c.Resolve(namedFDs(humanHolding(call)))
	}
	if err != nil {
		return err
	}
	var pty string
	gaveUp := h.blockUntil(co, nil, "chardev-change", func(ctx context.Context) {
		pty, err = h.s.config.Chardevs.Change(ctx, id, c)
	})
	if err != nil && gaveUp != nil {
		return gaveUp
	}
	if pty != "" {
		call.Printf("%s\n", Redirected(pty, id))
	}
	return err
}

func (h *handlers) humanRingWrite(_ *hmp.Call, args *hmp.Args) error {
	ring, err := h.s.config.Chardevs.Ring(args.String("device"))
	if err != nil {
		return err
	}
	_, _ = ring.Write([]byte(args.String("data"))) // a Ring takes everything
	return nil
}

func (h *handlers) humanRingRead(call *hmp.Call, args *hmp.Args) error {
	data, err := h.ringRead(args.String("device"), args.Int("size"))
	if err != nil {
		return err
	}
	text, _, _ := strings.Cut(string(data), "\x00")
	call.Printf("%s\n", printable(text))
	return nil
}

// printable writes control characters but newlines as \uXXXX, and backslashes
// twice.
func printable(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c == '\\':
			b.WriteString(`\\`)
		case c < 0x20 && c != '\n' || c == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func completeBackend(args []string) []string {
	if len(args) > 1 {
		return nil
	}
	return chardev.Backends()
}

func (h *handlers) completeChardevChange(args []string) []string {
	if len(args) == 1 {
		return h.s.config.Chardevs.Labels()
	}
	return completeBackend(args[1:])
}

func (h *handlers) completeChardev(args []string) []string {
	if len(args) > 1 {
		return nil
	}
	return h.s.config.Chardevs.Labels()
}

// completeRing proposes ring buffers only.
func (h *handlers) completeRing(args []string) []string {
	if len(args) > 1 {
		return nil
	}
	var rings []string
	for _, label := range h.s.config.Chardevs.Labels() {
		if _, err := h.s.config.Chardevs.Ring(label); err == nil {
			rings = append(rings, label)
		}
	}
	return rings
}
