package monitor

import (
	"github.com/backplane-vm/backplane/hmp"
	limits "github.com/backplane-vm/backplane/internal/block/throttle"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// BlockSetIoThrottle changes the limits of a disk, together with those of its
// group.
func (h *handlers) BlockSetIoThrottle(_ *qmp.Call, args *api.BlockIOThrottle) error {
	b, err := h.findDisk(args.Device, args.Id)
	switch {
	case err != nil:
		return err
	case !b.Inserted():
		return qerr.New("Device has no medium")
	}
	l := diskLimits(args)
	if err := l.Check(); err != nil {
		return err
	}
	fallback := value(args.Device)
	if args.Device == nil {
		fallback = *args.Id
	}
	b.SetLimits(l, value(args.Group), fallback)
	return nil
}

func diskLimits(a *api.BlockIOThrottle) limits.Limits {
	l := limits.Unlimited()
	for kind, x := range map[limits.Kind]struct {
		rate       int64
		max, longs *int64
	}{
		limits.BytesTotal: {a.Bps, a.BpsMax, a.BpsMaxLength},
		limits.BytesRead:  {a.BpsRd, a.BpsRdMax, a.BpsRdMaxLength},
		limits.BytesWrite: {a.BpsWr, a.BpsWrMax, a.BpsWrMaxLength},
		limits.OpsTotal:   {a.Iops, a.IopsMax, a.IopsMaxLength},
		limits.OpsRead:    {a.IopsRd, a.IopsRdMax, a.IopsRdMaxLength},
		limits.OpsWrite:   {a.IopsWr, a.IopsWrMax, a.IopsWrMaxLength},
	} {
		to := &l.Of[kind]
		to.Rate, to.Burst = uint64(x.rate), uint64(value(x.max))
		if x.longs != nil {
			to.Length = uint64(*x.longs)
		}
	}
	l.OpSize = uint64(value(a.IopsSize))
	return l
}

// humanSetThrottle is block_set_io_throttle of HMP, whose one name is a disk's
// or else a device's.
func (h *handlers) humanSetThrottle(_ *hmp.Call, args *hmp.Args) error {
	name := args.String("device")
	a := &api.BlockIOThrottle{
		Bps: args.Int("bps"), BpsRd: args.Int("bps_rd"), BpsWr: args.Int("bps_wr"),
		Iops: args.Int("iops"), IopsRd: args.Int("iops_rd"), IopsWr: args.Int("iops_wr"),
	}
	if _, err := h.findDisk(&name, nil); err == nil {
		a.Device = &name
	} else {
		a.Id = &name
	}
	return h.BlockSetIoThrottle(nil, a)
}

// addLimits adds to what is said of a disk the limits that it keeps to.
func addLimits(info *api.BlockDeviceInfo, g *limits.Group) {
	if g == nil {
		return
	}
	l, name := g.Limits(), g.Name()
	info.Group = &name
	for kind, x := range map[limits.Kind]struct {
		rate         *int64
		burst, longs **int64
	}{
		limits.BytesTotal: {&info.Bps, &info.BpsMax, &info.BpsMaxLength},
		limits.BytesRead:  {&info.BpsRd, &info.BpsRdMax, &info.BpsRdMaxLength},
		limits.BytesWrite: {&info.BpsWr, &info.BpsWrMax, &info.BpsWrMaxLength},
		limits.OpsTotal:   {&info.Iops, &info.IopsMax, &info.IopsMaxLength},
		limits.OpsRead:    {&info.IopsRd, &info.IopsRdMax, &info.IopsRdMaxLength},
		limits.OpsWrite:   {&info.IopsWr, &info.IopsWrMax, &info.IopsWrMaxLength},
	} {
		from := l.Of[kind]
		*x.rate = int64(from.Rate)
		if burst, longs := int64(from.Burst), int64(from.Length); burst > 0 {
			*x.burst, *x.longs = &burst, &longs
		}
	}
	if size := int64(l.OpSize); size > 0 {
		info.IopsSize = &size
	}
}
