package monitor

import (
	"fmt"
	"math"
	"strings"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// humanVirtio are the sub-commands of info about virtio devices.
func (h *handlers) humanVirtio() hmp.Handlers[*coro.Co] {
	return hmp.Handlers[*coro.Co]{
		"info virtio":                    {Run: h.infoVirtio},
		"info virtio-status":             {Run: h.infoVirtioStatus},
		"info virtio-queue-status":       {Run: h.infoVirtioQueue},
		"info virtio-queue-element":      {Run: h.infoVirtioElement},
		"info virtio-vhost-queue-status": {Run: h.infoVirtioVhost},
	}
}

func (h *handlers) infoVirtio(call *hmp.Call, _ *hmp.Args) error {
	list, err := h.XQueryVirtio(nil)
	if err == nil && len(list) == 0 {
		return qerr.New("No virtio devices found")
	}
	for _, d := range list {
		call.Printf("%s [%s]\n", d.Path, d.Name)
	}
	return err
}

// fields prints lines of a name and a value, aligned at width.
func fields(call *hmp.Call, width int, list ...any) {
	for i := 0; i < len(list); i += 2 {
		call.Printf("  %-*s %v\n", width, fmt.Sprint(list[i])+":", list[i+1])
	}
}

func (h *handlers) infoVirtioStatus(call *hmp.Call, args *hmp.Args) error {
	path := args.String("path")
	s, err := h.XQueryVirtioStatus(nil, &api.XQueryVirtioStatusArgs{Path: path})
	if err != nil {
		return err
	}
	bus := s.BusName
	if bus == "" {
		bus = "(null)"
	}
	call.Printf("%s:\n", path)
	fields(call, 24, "device_name", s.Name+" ", "device_id", s.DeviceId, "vhost_started", s.VhostStarted,
		"bus_name", bus, "broken", s.Broken, "disabled", s.Disabled, "disable_legacy_check", s.DisableLegacyCheck,
		"started", s.Started, "use_started", s.UseStarted, "start_on_kick", s.StartOnKick,
		"use_guest_notifier_mask", s.UseGuestNotifierMask, "vm_running", s.VmRunning, "num_vqs", s.NumVqs,
		"queue_sel", s.QueueSel, "isr", s.Isr, "endianness", s.DeviceEndian)
	call.Printf("  status:\n")
	printTexts(call, s.Status.Statuses)
	if s.Status.UnknownStatuses != nil {
		call.Printf("  unknown-statuses(0x%016x)\n", *s.Status.UnknownStatuses)
	}
	for _, f := range []struct {
		whose string
		list  api.VirtioDeviceFeatures
	}{{"Guest", s.GuestFeatures}, {"Host", s.HostFeatures}, {"Backend", s.BackendFeatures}} {
		call.Printf("  %s features:\n", f.whose)
		printTexts(call, f.list.Transports)
		if len(f.list.DevFeatures) > 0 {
			printTexts(call, f.list.DevFeatures)
		}
		if f.list.UnknownDevFeatures != nil {
			call.Printf("  unknown-features(0x%016x)\n", *f.list.UnknownDevFeatures)
		}
	}
	return nil
}

// printTexts prints one text a line; there is a line if there is none.
func printTexts(call *hmp.Call, texts []string) {
	for i, text := range texts {
		if i > 0 {
			call.Printf(",\n")
		}
		call.Printf("\t%s", text)
	}
	call.Printf("\n")
}

func (h *handlers) infoVirtioQueue(call *hmp.Call, args *hmp.Args) error {
	path := args.String("path")
	s, err := h.XQueryVirtioQueueStatus(nil, &api.XQueryVirtioQueueStatusArgs{Path: path, Queue: queueNumber(args)})
	if err != nil {
		return err
	}
	call.Printf("%s:\n", path)
	fields(call, 21, "device_name", s.Name, "queue_index", s.QueueIndex, "inuse", s.Inuse, "used_idx", s.UsedIdx,
		"signalled_used", s.SignalledUsed, "signalled_used_valid", s.SignalledUsedValid,
		"last_avail_idx", value(s.LastAvailIdx), "shadow_avail_idx", value(s.ShadowAvailIdx))
	call.Printf("  VRing:\n")
	call.Printf("    num:          %d\n    num_default:  %d\n    align:        %d\n", s.VringNum, s.VringNumDefault, s.VringAlign)
	call.Printf("    desc:         0x%016x\n    avail:        0x%016x\n    used:         0x%016x\n", s.VringDesc, s.VringAvail, s.VringUsed)
	return nil
}

// queueNumber is the argument queue as far as QEMU looks at it.
func queueNumber(args *hmp.Args) uint16 { return uint16(args.Int("queue") & math.MaxUint16) }

func (h *handlers) infoVirtioVhost(_ *hmp.Call, args *hmp.Args) error {
	_, err := h.XQueryVirtioVhostQueueStatus(nil, &api.XQueryVirtioVhostQueueStatusArgs{
		Path: args.String("path"), Queue: queueNumber(args)})
	return err
}

func (h *handlers) infoVirtioElement(call *hmp.Call, args *hmp.Args) error {
	a := &api.XQueryVirtioQueueElementArgs{Path: args.String("path"), Queue: queueNumber(args)}
	if args.Has("index") {
		index := uint16(args.Int("index") & math.MaxUint16)
		a.Index = &index
	}
	e, err := h.XQueryVirtioQueueElement(nil, a)
	if err != nil {
		return err
	}
	call.Printf("%s:\n  device_name: %s\n  index:   %d\n  desc:\n    descs:\n", a.Path, e.Name, e.Index)
	var lines []string
	for _, d := range e.Descs {
		line := fmt.Sprintf("        addr 0x%x len %d", d.Addr, d.Len)
		if len(d.Flags) > 0 {
			line += " (" + strings.Join(d.Flags, ", ") + ")"
		}
		lines = append(lines, line)
	}
	call.Printf("%s\n", strings.Join(lines, ",\n"))
	call.Printf("  avail:\n    flags: %d\n    idx:   %d\n    ring:  %d\n", e.Avail.Flags, e.Avail.Idx, e.Avail.Ring)
	call.Printf("  used:\n    flags: %d\n    idx:   %d\n", e.Used.Flags, e.Used.Idx)
	return nil
}
