package monitor

import (
	"slices"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/visit"
)

// plain prints an error without the word in front of it, as QEMU's drive_add and
// drive_del do; that co was cancelled it hands on.
func plain(co *coro.Co, call *hmp.Call, err error) error {
	e := qerr.From(err)
	if e == nil || co.Err() != nil {
		return err
	}
	call.Printf("%s\n%s", e.Desc, e.Hint)
	return nil
}

// humanDriveAdd makes a drive that a device may have later, or with -n a node.
// The place on PCI that it begins with has long been without meaning.
func (h *handlers) humanDriveAdd(co *coro.Co, call *hmp.Call, args *hmp.Args) error {
	if args.Bool("node") {
		return plain(co, call, h.driveNode(co, args.String("opts")))
	}
	if err := h.addDrive(co, args.String("opts")); err != nil {
		return plain(co, call, err)
	}
	call.Printf("OK\n")
	return nil
}

func (h *handlers) addDrive(co *coro.Co, text string) error {
	d, err := opts.ParseDrive(text)
	if err != nil {
		return err
	}
	if d.Interface == "" {
		d.Interface = "none"
	}
	b, err := AddDrive(co, h.m.Blocks, &d)
	if err == nil && d.Interface != "none" {
		b.Abandon()
		return qerr.New("Can't hot-add drive to type %d", slices.Index(opts.Interfaces(), d.Interface))
	}
	return err
}

// driveNode is blockdev-add in the human monitor's syntax.
func (h *handlers) driveNode(co *coro.Co, text string) error {
	o, err := opts.ParseOpts(text, "")
	if err != nil {
		return err
	}
	d := o.Dict()
	if !d.Has("node-name") {
		return qerr.New("'node-name' needs to be specified")
	}
	if driver, ok := member(d, "driver").(string); ok {
		if err := checkDriver(driver); err != nil {
			return err
		}
	}
	if d, err = opts.Nest(d); err != nil {
		return err
	}
	in := visit.New(d, visit.Keyval)
	node := api.DecodeBlockdevOptions(in)
	if err := in.Err(); err != nil {
		return err
	}
	return h.BlockdevAdd(co, nil, &node)
}

// humanDriveDel ends a drive, also under a device that has it, which fails from
// then on; or a node of blockdev-add.
func (h *handlers) humanDriveDel(co *coro.Co, call *hmp.Call, args *hmp.Args) error {
	return plain(co, call, h.inMain(co, func() error { return h.driveDel(co, args.String("id")) }))
}

func (h *handlers) driveDel(co *coro.Co, id string) error {
	if h.m.Blocks.Lookup(id) != nil {
		return h.m.Blocks.Delete(co, id)
	}
	b := h.m.Blocks.Drive(id)
	if b == nil {
		return qerr.New("Device '%s' not found", id)
	}
	return b.Forget(co)
}
