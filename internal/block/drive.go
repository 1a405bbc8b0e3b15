package block

import (
	"slices"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Drive says what the backend of a -drive is to be. The monitor knows it by its
// id, and a device may come later.
type Drive struct {
	ID string
	// Interface and its place there tell drives apart that have no id of their
	// own. A device of the board's has those of another interface than "none".
	Interface string
	Bus, Unit int
	// Medium is its first medium, or without Driver how the first is to be opened.
	Medium Options
	// OnReadError and OnWriteError hold for devices that leave it open; they may
	// be "" or Auto and leave it open, too.
	OnReadError, OnWriteError OnError
}

// retained is how media were opened, for the next.
type retained struct{ readOnly, direct, noFlush bool }

// AddDrive makes a backend that has no device yet, and the node that is its
// medium; co is as for [Graph.Add]. On error nothing is left behind.
func (g *Graph) AddDrive(co *coro.Co, d Drive) (*Backend, error) {
	switch {
	case g.drives[d.ID] != nil:
		return nil, qerr.New("Duplicate ID '%s' for drive", d.ID)
	case !wellFormed(d.ID):
		return nil, qerr.New("Parameter 'id' expects an identifier").
			WithHint("Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.\n")
	}
	b := g.newBackend()
	b.drive, b.retained = &d, retained{d.Medium.ReadOnly, d.Medium.Direct, d.Medium.NoFlush}
	g.drives[d.ID] = b // opening yields, and things happen meanwhile
	if d.Medium.Driver != "" {
		b.need = ConsistentRead
		if err := b.load(co, d.Medium); err != nil {
			delete(g.drives, d.ID)
			return nil, err
		}
	}
	b.known = true
	g.backends = append(g.backends, b)
	return b, nil
}

// load makes a node for the backend and inserts it.
func (b *Backend) load(co *coro.Co, o Options) error {
	n, err := b.graph.open(co, o)
	if err != nil {
		return err
	}
	if err := b.Insert(n); err != nil {
		n.dropUnused()
		return err
	}
	return nil
}

// Abandon undoes AddDrive, before anybody has used the drive.
func (b *Backend) Abandon() {
	if u := b.use; u != nil {
		b.use = nil
		u.drop()
		u.node.dropUnused()
	}
	b.destroy()
}

// Drive returns the backend of the drive that the monitor knows by id, or nil.
func (g *Graph) Drive(id string) *Backend {
	if b := g.drives[id]; b != nil && b.known {
		return b
	}
	return nil
}

// HasDriveAt reports whether a place is taken: by a drive that the monitor knows,
// or that is being made.
func (g *Graph) HasDriveAt(iface string, bus, unit int) bool {
	for _, b := range g.drives {
		if d := b.drive; !b.forgotten && d.Interface == iface && d.Bus == bus && d.Unit == unit {
			return true
		}
	}
	return false
}

// Name returns the id by which the monitor knows the backend's drive, or "".
func (b *Backend) Name() string {
	if !b.known {
		return ""
	}
	return b.drive.ID
}

// RefName is what the device's drive property reads as: the id, or else the name of
// the medium.
func (b *Backend) RefName() string {
	if n := b.Node(); n != nil && !b.known {
		return n.Name()
	}
	return b.Name()
}

// Occupy gives a drive's backend to the device with the given QOM path.
func (b *Backend) Occupy(path string) error {
	switch {
	case b.path == "":
		b.path = path
		return nil
	case b.drive.Interface != "none":
		return qerr.New("Drive '%s' is already in use because it has been automatically connected to another device "+
			"(did you need 'if=none' in the drive options?)", b.drive.ID)
	}
	return qerr.New("Drive '%s' is already in use by another device", b.drive.ID)
}

// vacate undoes Occupy for a device that never came to be.
func (b *Backend) vacate() {
	b.path, b.policies = "", policies{}
	_ = b.require(0, AllPerms) // only ever loosens
}

// Eject takes the medium out, if there is one. It yields until nothing is in
// flight there and what was written is flushed; nobody else waits with it. If
// co is cancelled meanwhile, the medium stays; so it does if a device comes. A
// node that was made for the drive goes.
func (b *Backend) Eject(co *coro.Co) error {
	return b.eject(co, func() error {
		if b.path != "" {
			return qerr.New("Device '%s' is not removable", b.Name())
		}
		return nil
	})
}

// eject is Eject, if check allows it when the medium is idle.
func (b *Backend) eject(co *coro.Co, check func() error) error {
	u := b.use
	if u == nil {
		return nil
	}
	n := u.node
	if err := n.DrainedBegin(co); err != nil {
		return err
	}
	err := n.flushApart(co) // errors of the flush: who minds has flushed
	if err == nil {
		err = check()
	}
	if err == nil && b.use == u { // things happen while we wait
		b.retained = retained{n.readOnly, n.opts.Direct, n.opts.NoFlush}
		b.use = nil
		u.drop()
	}
	n.DrainedEnd(co)
	n.dropUnused()
	return err
}

// Retained returns how the next medium is to be opened where nothing else is
// said: as the last one was.
func (b *Backend) Retained() (o Options) {
	r := b.retained
	if n := b.Node(); n != nil {
		r = retained{n.readOnly, n.opts.Direct, n.opts.NoFlush}
	}
	o.ReadOnly, o.Direct, o.NoFlush = r.readOnly, r.direct, r.noFlush
	return o
}

// Open makes a node that is to be a medium, by [Backend.Change]; it stays until
// [Node.Discard] at least. co is as for [Graph.Add].
func (g *Graph) Open(co *coro.Co, o Options) (*Node, error) {
	n, err := g.open(co, o)
	if err == nil {
		n.held = true
	}
	return n, err
}

// Discard ends what Open began: the node goes unless it has become a medium.
func (n *Node) Discard() {
	n.held = false
	n.dropUnused()
}

// Change puts a node of [Graph.Open] in the place of the medium. It yields as
// Eject does. If the node does not fit, the old medium is out already.
func (b *Backend) Change(co *coro.Co, to *Node) error {
	if err := b.Eject(co); err != nil {
		return err
	}
	switch { // things happen while we wait
	case !b.known:
		return qerr.Newc(qerr.DeviceNotFound, "Device '%s' not found", b.drive.ID)
	case b.path != "":
		return qerr.New("Device '%s' is not removable", b.Name())
	case b.use != nil:
		return qerr.New("There already is a medium in the device")
	}
	return b.Insert(to)
}

// Forget ends a drive: its medium is taken out, as by Eject, and the monitor
// knows it no more. A device that has it keeps an empty backend, of which it
// hears ENOMEDIUM only, and its id, for as long as it lives.
func (b *Backend) Forget(co *coro.Co) error {
	for b.use != nil {
		if err := b.eject(co, func() error { return nil }); err != nil {
			return err
		}
	}
	if !b.known { // things happen while we wait
		return nil
	}
	b.known, b.forgotten = false, true
	b.policies = policies{reads: Report, writes: Report}
	if b.path == "" {
		b.destroy()
	}
	return nil
}

// HasBackend reports whether the node is the medium of anybody.
func (n *Node) HasBackend() bool {
	return slices.ContainsFunc(n.users, func(u *use) bool {
		_, is := u.parent.(*Backend)
		return is
	})
}
