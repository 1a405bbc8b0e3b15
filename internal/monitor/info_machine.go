package monitor

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/hmp/view"
	"github.com/backplane-vm/backplane/internal/mem"
)

// humanMachine are human commands about the machine as a whole. Some have one
// answer only, as this board is: the same as QEMU's for it.
func (h *handlers) humanMachine() hmp.Handlers[*coro.Co] {
	return hmp.Handlers[*coro.Co]{
		"nmi":           {Run: func(*hmp.Call, *hmp.Args) error { return h.InjectNmi(nil) }},
		"system_wakeup": {Run: func(*hmp.Call, *hmp.Args) error { return h.SystemWakeup(nil) }},
		"info kvm": {Run: func(call *hmp.Call, _ *hmp.Args) error {
			call.Printf("kvm support: not compiled\n")
			return nil
		}},
		"info hotpluggable-cpus": {Run: func(*hmp.Call, *hmp.Args) error {
			_, err := h.QueryHotpluggableCpus(nil)
			return err
		}},
		"info memory_size_summary": {Run: h.infoMemorySize},
		"info iothreads":           {Run: h.infoIothreads},
		"info ramblock":            {Run: h.infoRAMBlock},
		"info qdm":                 {Run: h.infoQDM},
	}
}

func (h *handlers) infoMemorySize(call *hmp.Call, _ *hmp.Args) error {
	info, err := h.QueryMemorySizeSummary(nil)
	if err != nil {
		return err
	}
	call.Printf("base memory: %d\n", info.BaseMemory)
	if info.PluggedMemory != nil {
		call.Printf("plugged memory: %d\n", *info.PluggedMemory)
	}
	return nil
}

func (h *handlers) infoIothreads(call *hmp.Call, _ *hmp.Args) error {
	list, err := h.QueryIothreads(nil)
	for _, t := range list {
		call.Printf("%s:\n  thread_id=%d\n  poll-max-ns=%d\n  poll-grow=%d\n  poll-shrink=%d\n  aio-max-batch=%d\n",
			t.Id, t.ThreadId, t.PollMaxNs, t.PollGrow, t.PollShrink, t.AioMaxBatch)
	}
	return err
}

func (h *handlers) infoQDM(call *hmp.Call, _ *hmp.Args) error {
	call.Printf("%s", deviceList(h.m.Devices.Registry(), true))
	return nil
}

// infoRAMBlock shows the memories, and where they are in this process.
func (h *handlers) infoRAMBlock(call *hmp.Call, _ *hmp.Args) error {
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
	view.PrintRAMBlocks(call, blocks)
	return nil
}
