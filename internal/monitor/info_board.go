package monitor

import (
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/hmp/view"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// humanBoard are the sub-commands of info that show the board's insides by the
// text of an x-query command.
func (h *handlers) humanBoard() hmp.Handlers[*coro.Co] {
	return hmp.Handlers[*coro.Co]{
		"info jit":      readable(h.XQueryJit),
		"info opcount":  readable(h.XQueryOpcount),
		"info pic":      readable(h.XQueryInterruptControllers),
		"info ramblock": readable(h.XQueryRamblock),
		"info roms":     readable(h.XQueryRoms),
	}
}

// readable shows the text that a command of the schema makes.
func readable(f func(*qmp.Call) (*api.HumanReadableText, error)) hmp.Handler[*coro.Co] {
	return hmp.Handler[*coro.Co]{Run: func(call *hmp.Call, _ *hmp.Args) error {
		r, err := f(nil)
		if err == nil {
			call.Printf("%s", r.HumanReadableText)
		}
		return err
	}}
}

// text collects what is written for a HumanReadableText.
type text struct{ strings.Builder }

func (t *text) result() (*api.HumanReadableText, error) {
	return &api.HumanReadableText{HumanReadableText: t.String()}, nil
}

// XQueryJit implements api.Commands: harts are interpreted.
func (h *handlers) XQueryJit(*qmp.Call) (*api.HumanReadableText, error) {
	return nil, qerr.New("JIT information is only available with accel=tcg")
}

// XQueryOpcount implements api.Commands.
func (h *handlers) XQueryOpcount(*qmp.Call) (*api.HumanReadableText, error) {
	return nil, qerr.New("Opcode count information is only available with accel=tcg")
}

// XQueryInterruptControllers implements api.Commands. Those of this board say
// nothing, as in QEMU.
func (h *handlers) XQueryInterruptControllers(*qmp.Call) (*api.HumanReadableText, error) {
	return new(text).result()
}

// XQueryRoms implements api.Commands.
func (h *handlers) XQueryRoms(*qmp.Call) (*api.HumanReadableText, error) {
	var t text
	for _, r := range h.m.Board.ROMs() {
		in := "ram"
		if r.ReadOnly {
			in = "rom"
		}
		fmt.Fprintf(&t, "addr=%016x size=0x%06x mem=%s name=\"%s\"\n", r.Addr, r.Size, in, r.Name)
	}
	return t.result()
}

// XQueryRamblock implements api.Commands: the memories, and where they are in this
// process.
func (h *handlers) XQueryRamblock(*qmp.Call) (*api.HumanReadableText, error) {
	var blocks []view.RAMBlock
	seen := make(map[*mem.Region]bool)
	var visit func(r *mem.Region)
	visit = func(r *mem.Region) {
		if seen[r] {
			return
		}
		seen[r] = true
		if b := r.Bytes(); len(b) > 0 {
			blocks = append(blocks, view.RAMBlock{
				Name: r.Name(), Size: r.Size(), ReadOnly: r.Kind() == mem.ROM, Host: &b[0],
			})
		}
		if target, _ := r.Target(); target != nil {
			visit(target)
		}
		for _, c := range r.Children() {
			visit(c)
		}
	}
	for _, as := range h.m.Map.Spaces() {
		visit(as.Root())
	}
	var t text
	view.PrintRAMBlocks(&t, blocks)
	return t.result()
}
