package monitor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	limits "github.com/backplane-vm/backplane/internal/block/throttle"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qapi/visit"
)

// AddDrive makes the backend of a -drive or drive_add, without a medium if d
// names none. The caller holds the BQL; co is as for [block.Graph.Add].
// d.Interface is set.
func AddDrive(co *coro.Co, g *block.Graph, d *opts.Drive) (*block.Backend, error) {
	bus, unit, err := drivePlace(g, d)
	if err != nil {
		return nil, err
	}
	limit := limits.Unlimited()
	for name, v := range d.Limits {
		*limit.Named(name) = v
	}
	if err := limit.Check(); err != nil {
		return nil, err
	}
	medium, err := driveMedium(d)
	if err != nil {
		return nil, err
	}
	id := d.ID
	if id == "" {
		id = fmt.Sprintf("%s%d", d.Interface, unit)
	}
	b, err := g.AddDrive(co, block.Drive{
		ID: id, Interface: d.Interface, Bus: bus, Unit: unit, Medium: *medium,
		OnReadError: block.OnError(d.OnReadError), OnWriteError: block.OnError(d.OnWriteError),
	})
	if err == nil {
		b.SetLimits(limit, d.Group, id)
	}
	return b, err
}

// drivePlace returns where a drive is on its interface: the first free place
// unless it says one.
func drivePlace(g *block.Graph, d *opts.Drive) (bus, unit int, err error) {
	const unsaid = -1
	bus, unit = d.Bus, d.Unit
	if d.Index != unsaid {
		bus, unit = 0, d.Index
	}
	if bus == unsaid {
		bus = 0
	}
	if unit == unsaid {
		for unit = 0; g.HasDriveAt(d.Interface, bus, unit); unit++ {
		}
	}
	if g.HasDriveAt(d.Interface, bus, unit) {
		return 0, 0, qerr.New("drive with bus=%d, unit=%d (index=%d) exists", bus, unit, d.Index)
	}
	return bus, unit, nil
}

// driveMedium is the node of a drive: a format over a file. Without a driver
// there is none.
func driveMedium(d *opts.Drive) (*block.Options, error) {
	if d.Snapshot {
		return nil, qerr.New("snapshot=on is not supported by this build")
	}
	n, err := opts.Nest(d.Node)
	if err != nil {
		return nil, err
	}
	if n.Has("cache") {
		if c, ok := member(n, "cache").(*qobject.Dict); ok {
			c.Delete("writeback") // a property of the device; write-back is what there is
		}
	}
	n.Delete("read-only")
	if d.ReadOnly || d.Media == "cdrom" {
		n.Set("read-only", "on")
	}
	var driver *string
	if named, ok := member(n, "driver").(string); ok {
		driver = &named
	} else if d.File == "" && !n.Has("file") {
		return &block.Options{ReadOnly: n.Has("read-only")}, nil
	}
	if err := nameFile(n, optional(d.File), driver); err != nil {
		return nil, err
	}
	in := visit.New(n, visit.Keyval)
	o := api.DecodeBlockdevOptions(in)
	if err := in.Err(); err != nil {
		return nil, err
	}
	return nodeOptions(&o)
}

func member(d *qobject.Dict, name string) any {
	v, _ := d.Get(name)
	return v
}

// nameFile adds to a node's options the driver and the file that people named,
// by a path or by a protocol and what follows it. Without a driver the image is
// raw: QEMU would look into it, and a guest can forge what it finds there.
func nameFile(n *qobject.Dict, name *string, driver *string) error {
	format := string(api.BlockdevDriverRaw)
	if driver != nil {
		format = *driver
	}
	if err := checkDriver(format); err != nil {
		return err
	}
	n.Set("driver", format)
	switch {
	case name != nil:
	case format == "file" && !n.Has("filename"):
		return qerr.New("The 'file' block driver requires a file name")
	case format != "file" && format != nullProtocol && !n.Has("file"):
		return qerr.New("A block device must be specified for \"file\"")
	default:
		return nil
	}
	file, err := protocolOf(*name)
	if err != nil {
		return err
	}
	protocol, _ := member(file, "driver").(string)
	switch {
	case format == protocol:
		for _, key := range file.Keys() {
			n.Set(key, member(file, key))
		}
	case format == nullProtocol:
		return onlyNull()
	case format == "file":
		n.Set("filename", *name)
	case n.Has("file"):
		child, ok := member(n, "file").(*qobject.Dict)
		if !ok {
			return qerr.New("Cannot specify both 'file' and a file name")
		}
		for _, key := range file.Keys() {
			child.Set(key, member(file, key))
		}
	default:
		n.Set("file", file)
	}
	return nil
}

// checkDriver says of an unknown driver what QEMU says where no schema comes first.
func checkDriver(name string) error {
	if slices.Contains(api.BlockdevDriverValues(), api.BlockdevDriver(name)) {
		return nil
	}
	return qerr.New("Unknown driver '%s'", name)
}

const nullProtocol = "null-co"

func onlyNull() error { return qerr.New("The only allowed filename for this driver is 'null-co://'") }

// protocolOf returns the options of the node that an image's name stands for: a
// path, or after the name of a driver what that takes.
func protocolOf(name string) (*qobject.Dict, error) {
	protocol, rest := "file", name
	if i := strings.IndexAny(name, "/:"); i >= 0 && name[i] == ':' {
		protocol, rest = name[:i], name[i+1:]
	}
	switch {
	case protocol == "file":
		return qobject.Members("driver", protocol, "filename", rest), nil
	case protocol != nullProtocol:
		return nil, qerr.New("Unknown protocol '%s'", protocol)
	case rest != "//":
		return nil, onlyNull()
	}
	return qobject.Members("driver", protocol), nil
}
