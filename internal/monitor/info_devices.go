package monitor

import (
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
)

// humanQueries are sub-commands of info that show what a query answers. Where
// this machine can have none of what is asked for, so does the text, as QEMU's
// does for a machine without.
func (h *handlers) humanQueries() hmp.Handlers[*coro.Co] {
	plain := func(f func(call *hmp.Call) error) hmp.Handler[*coro.Co] {
		return hmp.Handler[*coro.Co]{Run: func(call *hmp.Call, _ *hmp.Args) error { return f(call) }}
	}
	says := func(text string) hmp.Handler[*coro.Co] {
		return plain(func(call *hmp.Call) error { call.Printf("%s", text); return nil })
	}
	fails := func(f func() error) hmp.Handler[*coro.Co] {
		return plain(func(*hmp.Call) error { return f() })
	}
	readable := func(f func(*qmp.Call) (*api.HumanReadableText, error)) hmp.Handler[*coro.Co] {
		return plain(func(call *hmp.Call) error {
			r, err := f(nil)
			if err == nil {
				call.Printf("%s", r.HumanReadableText)
			}
			return err
		})
	}
	rocker := hmp.Handler[*coro.Co]{Run: func(_ *hmp.Call, args *hmp.Args) error { return noRocker(args.String("name")) }}
	return hmp.Handlers[*coro.Co]{
		"info rocker":               rocker,
		"info rocker-ports":         rocker,
		"info irq":                  readable(h.XQueryIrq),
		"info numa":                 readable(h.XQueryNuma),
		"info usb":                  readable(h.XQueryUsb),
		"info balloon":              fails(func() error { _, err := h.QueryBalloon(nil); return err }),
		"info vm-generation-id":     fails(func() error { _, err := h.QueryVmGenerationId(nil); return err }),
		"balloon":                   fails(noBalloon),
		"info mice":                 says("No mouse devices connected\n"),
		"info replay":               says("Record/replay is not active\n"),
		"info spice":                says("Server: disabled\n"),
		"info tpm":                  says(""),
		"info vnc":                  says("None\n"),
		"info memory-devices":       says(""),
		"info vcpu_dirty_limit":     says("Dirty page limit not enabled!\n"),
		"info block-jobs":           plain(h.infoBlockJobs),
		"info blockstats":           plain(h.infoBlockstats),
		"info dump":                 plain(h.infoDump),
		"info memdev":               plain(h.infoMemdev),
		"info migrate_capabilities": plain(h.infoMigrateCapabilities),
		"info stats":                {Run: h.infoStats},
	}
}

func (h *handlers) infoBlockJobs(call *hmp.Call) error {
	list, err := h.QueryBlockJobs(nil)
	if err == nil && len(list) == 0 {
		call.Printf("No active jobs\n")
	}
	return err
}

func (h *handlers) infoBlockstats(call *hmp.Call) error {
	list, err := h.QueryBlockstats(nil, &api.QueryBlockstatsArgs{})
	for _, x := range list {
		s := x.Stats
		call.Printf("%s: rd_bytes=%d wr_bytes=%d rd_operations=%d wr_operations=%d flush_operations=%d"+
			" wr_total_time_ns=%d rd_total_time_ns=%d flush_total_time_ns=%d rd_merged=%d wr_merged=%d idle_time_ns=%d\n",
			value(x.Device), s.RdBytes, s.WrBytes, s.RdOperations, s.WrOperations, s.FlushOperations,
			s.WrTotalTimeNs, s.RdTotalTimeNs, s.FlushTotalTimeNs, s.RdMerged, s.WrMerged, value(s.IdleTimeNs))
	}
	return err
}

func (h *handlers) infoDump(call *hmp.Call) error {
	d, err := h.QueryDump(nil)
	if err != nil {
		return err
	}
	call.Printf("Status: %s\n", d.Status)
	if d.Status == api.DumpStatusActive {
		call.Printf("Finished: %.2f %%\n", 100*float64(d.Completed)/float64(max(d.Total, 1)))
	}
	return nil
}

func (h *handlers) infoMemdev(call *hmp.Call) error {
	list, err := h.QueryMemdev(nil)
	for _, m := range list {
		var nodes []string
		for _, n := range m.HostNodes {
			nodes = append(nodes, fmt.Sprint(n))
		}
		call.Printf("memory backend: %s\n", value(m.Id))
		call.Printf("  size:  %d\n  merge: %t\n  dump: %t\n  prealloc: %t\n  share: %t\n", m.Size, m.Merge, m.Dump, m.Prealloc, m.Share)
		if m.Reserve != nil {
			call.Printf("  reserve: %t\n", *m.Reserve)
		}
		call.Printf("  policy: %s\n  host nodes: %s\n", m.Policy, strings.Join(nodes, ","))
	}
	call.Printf("\n")
	return err
}

func (h *handlers) infoMigrateCapabilities(call *hmp.Call) error {
	list, err := h.QueryMigrateCapabilities(nil)
	for _, c := range list {
		state := "off"
		if c.State {
			state = "on"
		}
		call.Printf("%s: %s\n", c.Capability, state)
	}
	return err
}
