package monitor

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qapi/visit"
	"github.com/backplane-vm/backplane/qmp"
)

// Media of disks. No device here lets its medium be changed, so that what works
// is what QEMU does with the disk of a -drive before a device comes.

// humanMedia are the human commands for media and drives.
func (h *handlers) humanMedia() hmp.Handlers[*coro.Co] {
	return hmp.Handlers[*coro.Co]{
		"eject": {RunCo: func(co *coro.Co, _ *hmp.Call, args *hmp.Args) error {
			device := args.String("device")
			return h.Eject(co, nil, &api.EjectArgs{Device: &device})
		}},
		"change":    {RunCo: h.humanChange},
		"drive_add": {RunCo: h.humanDriveAdd},
		"drive_del": {RunCo: h.humanDriveDel},
	}
}

// Eject takes the medium out of a disk. There is no tray that a guest could
// have locked, so that force changes nothing.
func (h *handlers) Eject(co *coro.Co, _ *qmp.Call, args *api.EjectArgs) error {
	b, err := h.findDisk(args.Device, args.Id)
	if err != nil {
		return err
	}
	if err := checkRemovable(b, args.Device, args.Id); err != nil {
		return err
	}
	return h.inMain(co, func() error { return b.Eject(co) })
}

// BlockdevRemoveMedium takes the medium out of a device's disk.
func (h *handlers) BlockdevRemoveMedium(co *coro.Co, _ *qmp.Call, args *api.BlockdevRemoveMediumArgs) error {
	return h.Eject(co, nil, &api.EjectArgs{Id: &args.Id})
}

// BlockdevInsertMedium makes a node the medium of a device's disk.
func (h *handlers) BlockdevInsertMedium(_ *qmp.Call, args *api.BlockdevInsertMediumArgs) error {
	b, err := h.diskOf(args.Id)
	if err != nil {
		return err
	}
	n := h.m.Blocks.Lookup(args.NodeName)
	switch {
	case n == nil:
		return qerr.New("Node '%s' not found", args.NodeName)
	case n.HasBackend():
		return qerr.New("Node '%s' is already in use", n.Name())
	}
	switch {
	case !removable(b):
		return qerr.New("Device is not removable")
	case b.Inserted():
		return qerr.New("There already is a medium in the device")
	}
	return b.Insert(n)
}

// BlockdevChangeMedium opens an image and makes it the medium of a disk, in the
// place of what is there.
func (h *handlers) BlockdevChangeMedium(co *coro.Co, _ *qmp.Call, args *api.BlockdevChangeMediumArgs) error {
	b, err := h.findDisk(args.Device, args.Id)
	if err != nil {
		return err
	}
	o, err := nextMedium(b, args)
	if err != nil {
		return err
	}
	return h.inMain(co, func() error {
		n, err := h.m.Blocks.Open(co, *o)
		if err != nil {
			return err
		}
		defer n.Discard()
		if err := checkRemovable(b, args.Device, args.Id); err != nil {
			return err
		}
		return b.Change(co, n)
	})
}

// nextMedium says how the next medium is to be opened: as the last one was
// where nothing else is said.
func nextMedium(b *block.Backend, args *api.BlockdevChangeMediumArgs) (*block.Options, error) {
	node := qobject.NewDict()
	if err := nameFile(node, &args.Filename, args.Format); err != nil {
		return nil, err
	}
	in := visit.New(node, visit.JSON)
	decoded := api.DecodeBlockdevOptions(in)
	if err := in.Err(); err != nil {
		return nil, err
	}
	o, err := nodeOptions(&decoded)
	if err != nil {
		return nil, err
	}
	last := b.Retained()
	o.ReadOnly, o.Direct, o.NoFlush = last.ReadOnly, last.Direct, last.NoFlush
	if args.ReadOnlyMode != nil && *args.ReadOnlyMode != api.BlockdevChangeReadOnlyModeRetain {
		o.ReadOnly = *args.ReadOnlyMode == api.BlockdevChangeReadOnlyModeReadOnly
	}
	return o, nil
}

func (h *handlers) humanChange(co *coro.Co, _ *hmp.Call, args *hmp.Args) error {
	device, force := args.String("device"), args.Bool("force")
	a := &api.BlockdevChangeMediumArgs{
		Device: &device, Filename: args.String("target"), Format: optional(args.String("arg")), Force: &force,
	}
	if args.Has("read-only-mode") {
		in := visit.New(args.String("read-only-mode"), visit.JSON)
		mode := api.DecodeBlockdevChangeReadOnlyMode(in)
		if in.Err() != nil {
			return qerr.New("invalid parameter value: %s", args.String("read-only-mode"))
		}
		a.ReadOnlyMode = &mode
	}
	return h.BlockdevChangeMedium(co, nil, a)
}

// checkRemovable refuses to touch the medium of a device that does not let it be
// changed; device or id is what it was called.
func checkRemovable(b *block.Backend, device, id *string) error {
	switch {
	case removable(b):
		return nil
	case device != nil:
		return qerr.New("Device '%s' is not removable", *device)
	}
	return qerr.New("Device '%s' is not removable", *id)
}
