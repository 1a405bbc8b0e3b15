package monitor

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/qapi/api"
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
		"info network":             {Run: func(*hmp.Call, *hmp.Args) error { return nil }},
		"info capture":             {Run: func(*hmp.Call, *hmp.Args) error { return nil }},
		"info snapshots": {Run: func(call *hmp.Call, _ *hmp.Args) error {
			call.Printf("no block device can store vmstate for snapshot\n")
			return nil
		}},
		"info cryptodev":  {Run: func(*hmp.Call, *hmp.Args) error { _, err := h.QueryCryptodev(nil); return err }},
		"info dirty_rate": {Run: h.infoDirtyRate},
		"boot_set": {Run: func(call *hmp.Call, _ *hmp.Args) error {
			call.Printf("no function defined to set boot device list for this architecture\n")
			return nil
		}},
		"exit_preconfig": {Run: func(*hmp.Call, *hmp.Args) error { return h.XExitPreconfig(nil) }},
		"info iothreads": {Run: h.infoIothreads},
		"info qdm":       {Run: h.infoQDM},
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

func (h *handlers) infoDirtyRate(call *hmp.Call, _ *hmp.Args) error {
	r, err := h.QueryDirtyRate(nil, &api.QueryDirtyRateArgs{})
	if err != nil {
		return err
	}
	call.Printf("Status: %s\nStart Time: %d (ms)\nSample Pages: %d (per GB)\nPeriod: %d (sec)\nMode: %s\n",
		r.Status, r.StartTime, r.SamplePages, r.CalcTime, r.Mode)
	call.Printf("Dirty rate: (not ready)\n") // nothing measures it
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
