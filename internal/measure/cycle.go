package measure

import (
	"context"
	"fmt"

	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// A Disk is an image and where to plug it.
type Disk struct {
	Path string // a raw image
	Node string // the name of its block node while it is attached
	ID   string // the device's
	Port Port
}

// NewDisk returns the disk with names made from the port's.
func NewDisk(path string, port Port) Disk {
	return Disk{Path: path, Node: "node-" + port.Bus, ID: "disk-" + port.Bus, Port: port}
}

// A Cycle is one life of a disk in a machine, from blockdev-add to
// blockdev-del.
type Cycle struct {
	AddNode Span // blockdev-add
	Plug    Span // device_add

	Seen     Entry // the guest sees the card
	Up       Entry // it has brought the slot up: unplug requests are for it now
	Read     Entry // it has read its first sector
	Verified Entry // it has written sectors, read them back and compared; nothing if the first was bad

	Unplug   Removal // device_del, DEVICE_DELETED
	PowerOff Entry   // the guest lets the card go
	Removed  Entry   // it sees that the slot is empty
	DelNode  Span    // blockdev-del

	Lines []Entry // all that the guest said about the slot
}

// Confirmed returns nil if the guest saw the disk come and go in order and
// every checksum held, or what was wrong.
func (c *Cycle) Confirmed() error {
	switch {
	case c.Read.Get("sum") != demo.SumOK:
		return fmt.Errorf("the first sector's checksum is %q: %s", c.Read.Get("sum"), c.Read.Line)
	case c.Verified.Get("result") != demo.ResultOK:
		return fmt.Errorf("what was read back is %q: %s", c.Verified.Get("result"), c.Verified.Line)
	case c.Removed.Get("surprise") != "0":
		return fmt.Errorf("the card went without being let go: %s", c.Removed.Line)
	}
	for _, l := range c.Lines {
		if l.Failed() {
			return fmt.Errorf("the guest says: %s", l.Line)
		}
	}
	return nil
}

// Cycle plugs a disk in, waits until the guest has worked with it, and unplugs
// it. An error means that it did not come to its end; whether the data held is
// [Cycle.Confirmed]'s to say.
func (s *Subject) Cycle(ctx context.Context, d Disk) (*Cycle, error) {
	c := new(Cycle)
	cursor := s.Log.Cursor()
	err := s.plug(ctx, c, d, cursor)
	if err == nil {
		err = s.unplug(ctx, c, d, cursor)
	}
	c.Lines = s.Log.Since(cursor, d.Port.about(""))
	s.Log.Retime(&c.Seen, &c.Up, &c.Read, &c.Verified, &c.PowerOff, &c.Removed)
	return c, err
}

// plug plugs the disk in and waits until the guest has brought it up, read and
// written it. The guest's harts report in the order they come to it.
func (s *Subject) plug(ctx context.Context, c *Cycle, d Disk, cursor int) (err error) {
	if c.AddNode, err = s.Execute(ctx, "blockdev-add", node(d)); err != nil {
		return err
	}
	args := qobject.Members("driver", "virtio-blk-pci", "id", d.ID, "bus", d.Port.Bus, "drive", d.Node)
	if c.Plug, err = s.Execute(ctx, "device_add", args); err != nil {
		return err
	}
	for _, step := range []struct {
		event string
		entry *Entry
	}{
		{demo.EventPresence, &c.Seen}, {demo.EventUp, &c.Up}, {demo.EventFirstRead, &c.Read},
	} {
		if *step.entry, err = s.await(ctx, cursor, d.Port, step.event); err != nil {
			return err
		}
	}
	if c.Read.Get("sum") != demo.SumOK {
		return nil // the guest does not write on such a disk
	}
	c.Verified, err = s.await(ctx, cursor, d.Port, demo.EventWriteVerify)
	return err
}

func node(d Disk) *qobject.Dict {
	return qobject.Members("driver", "raw", "node-name", d.Node,
		"file", qobject.Members("driver", "file", "filename", d.Path))
}

func (s *Subject) unplug(ctx context.Context, c *Cycle, d Disk, cursor int) (err error) {
	if c.Unplug, err = s.Remove(ctx, d.ID); err != nil {
		return err
	}
	if c.DelNode, err = s.Execute(ctx, "blockdev-del", qobject.Members("node-name", d.Node)); err != nil {
		return err
	}
	if c.PowerOff, err = s.await(ctx, cursor, d.Port, demo.EventPowerOff); err != nil {
		return err
	}
	c.Removed, err = s.await(ctx, cursor, d.Port, demo.EventRemoved)
	return err
}

// A Phase is a stretch of a Cycle that has a name.
type Phase struct {
	Name  string // short, for a column
	About string // from where to where
	Of    func(*Cycle) int64
}

// until is how long after began something was, 0 if it never was.
func until(when, began int64) int64 {
	if when == 0 {
		return 0
	}
	return when - began
}

// Phases returns the phases in the order in which they end.
func Phases() []Phase {
	return []Phase{
		{"plug reply", "device_add to its reply", func(c *Cycle) int64 { return c.Plug.Took() }},
		{"guest sees", "device_add until the guest sees the card", func(c *Cycle) int64 { return until(c.Seen.Time, c.Plug.Asked) }},
		{"reads it", "device_add until the guest has read its first sector", func(c *Cycle) int64 { return until(c.Read.Time, c.Plug.Asked) }},
		{"verified", "device_add until what the guest wrote is read back", func(c *Cycle) int64 { return until(c.Verified.Time, c.Plug.Asked) }},
		{"unplug reply", "device_del to its reply", func(c *Cycle) int64 { return c.Unplug.Took() }},
		{"lets go", "device_del until the guest powers the slot off", func(c *Cycle) int64 { return until(c.PowerOff.Time, c.Unplug.Asked) }},
		{"finalised", "device_del to DEVICE_DELETED", func(c *Cycle) int64 { return until(c.Unplug.Deleted, c.Unplug.Asked) }},
		{"whole", "blockdev-add to the reply of blockdev-del", func(c *Cycle) int64 { return c.DelNode.Answered - c.AddNode.Asked }},
	}
}
