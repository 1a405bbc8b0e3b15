package block

import (
	"slices"
	"syscall"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block/throttle"
)

// A Backend is a device's (or an export's) handle on a node, its medium: QEMU's
// BlockBackend. That of a -drive is there before the device, may be without a
// medium, and may change it; see [Drive]. It is used under the BQL; its requests
// yield.
type Backend struct {
	graph  *Graph
	use    *use   // of the medium; nil without one
	path   string // empty while it has no device
	device any    // see SetDevice
	closed bool

	drive     *Drive // nil unless a -drive made it
	known     bool   // and the monitor knows it by that one's id
	forgotten bool   // and does no more
	retained  retained
	// What it does with a medium, and lets others do.
	need, share Perm

	inFlight int
	quiesce  int        // drained sections the backend is in
	parked   []*coro.Co // requests that wait for their end, oldest first

	stats    Stats
	policies policies         // of failed requests
	limits   *throttle.Member // a -drive's, or its own
}

// Attach makes a backend on node for the device with the given QOM path. It
// keeps the node from being deleted and does not restrict anybody; what the
// device will do it says with [Backend.Claim].
func (g *Graph) Attach(node *Node, path string) (*Backend, error) {
	b := g.newBackend()
	b.path = path
	if err := b.Insert(node); err != nil {
		return nil, err
	}
	g.backends = append(g.backends, b)
	return b, nil
}

// newBackend returns one without a medium that asks for nothing.
func (g *Graph) newBackend() *Backend {
	return &Backend{graph: g, share: AllPerms, limits: new(throttle.Member)}
}

// borrow makes a backend that nobody sees, for who needs something of the node
// for a while, until it is closed.
func (n *Node) borrow(need Perm) (*Backend, error) {
	b := n.graph.newBackend()
	b.need = need
	return b, b.Insert(n)
}

// Insert makes a node the medium of a backend that has none. On error nothing
// has changed.
func (b *Backend) Insert(n *Node) error {
	u := &use{node: n, desc: b.describe(), role: "root", need: b.need, share: b.share, parent: b}
	if err := u.attach(); err != nil {
		return err
	}
	b.use = u
	return nil
}

// describe names the backend in conflicts of permissions.
func (b *Backend) describe() string {
	switch {
	case b.drive != nil && !b.forgotten:
		return "block device '" + b.drive.ID + "'"
	case b.path != "":
		return "block device '" + b.path + "'"
	}
	return "an unnamed block device"
}

// Claim states that the device reads and, unless the node or readOnly forbids
// it, writes, and that others may write at the same time only if shareRW is
// set. On error nothing has changed.
func (b *Backend) Claim(readOnly, shareRW bool) error {
	need, share := ConsistentRead, ConsistentRead|WriteUnchanged|Resize
	if !readOnly && !b.ReadOnly() {
		need |= Write
	}
	if shareRW {
		share |= Write
	}
	return b.require(need, share)
}

func (b *Backend) require(need, share Perm) error {
	if b.use != nil {
		if err := b.use.require(need, share); err != nil {
			return err
		}
	}
	b.need, b.share = need, share
	return nil
}

// SetDevice says who is behind the backend. A device that has a method
// Resized() is told of a new capacity; one that implements [DrainOps] hears of
// drained sections, also of the one it comes into. Nil ends both.
func (b *Backend) SetDevice(device any) {
	b.device = device
	if ops, ok := device.(DrainOps); ok && b.quiesce > 0 {
		ops.DrainedBegin()
	}
}

// Node returns the medium, or nil.
func (b *Backend) Node() *Node {
	if b.use == nil {
		return nil
	}
	return b.use.node
}

// Inserted reports whether there is a medium.
func (b *Backend) Inserted() bool { return b.use != nil }

// Path returns the QOM path of the device that the backend belongs to, or "".
func (b *Backend) Path() string { return b.path }

// Close is for the device, which lets go of its backend: that gives its medium
// back when no request is in flight, in a drained section of it. It does not wait
// for that: a device goes after its last request, and so has given it back on
// return. Requests that are parked or come later fail. Closing again does nothing.
// A -drive's backend stays if its device never came to be; it goes with one that was.
func (b *Backend) Close() {
	switch {
	case b.closed:
		return
	case b.known && b.device == nil:
		b.vacate()
		return
	}
	b.closed, b.known, b.device = true, false, nil
	b.forgotten = b.drive != nil
	if b.use == nil {
		b.destroy()
		return
	}
	b.use.node.drainBegin()
	if !b.busy() {
		b.giveBack()
	}
}

func (b *Backend) giveBack() {
	u := b.use
	b.use = nil
	u.drop()
	u.node.drainEnd()
	u.node.dropUnused()
	b.destroy()
}

// destroy takes a backend that has no medium any more out of the graph.
func (b *Backend) destroy() {
	b.closed = true
	b.limits.Leave()
	g := b.graph
	g.backends = slices.DeleteFunc(g.backends, func(have *Backend) bool { return have == b })
	if b.drive != nil {
		delete(g.drives, b.drive.ID)
	}
}

// Backends returns those that belong to devices and those of drives, in order
// of creation.
func (g *Graph) Backends() []*Backend { return slices.Clone(g.backends) }

// Sectors returns the capacity in units of SectorSize, 0 without a medium.
func (b *Backend) Sectors() uint64 {
	if b.use == nil {
		return 0
	}
	return uint64(b.use.node.Length() / SectorSize)
}

// ReadOnly reports whether writes are refused. Without a medium it says what
// the next one will be.
func (b *Backend) ReadOnly() bool {
	if b.use == nil {
		return b.retained.readOnly
	}
	return b.use.node.readOnly
}

// InFlight returns how many requests are being worked on, without those that
// are parked.
func (b *Backend) InFlight() int { return b.inFlight }

// Parked returns how many requests wait for the end of a drained section.
func (b *Backend) Parked() int { return len(b.parked) }

// ReadAt fills p from offset off, in bytes. It yields, also for as long as
// the backend is in a drained section or its limits want. Errors are errno
// values (syscall.Errno) or wrap one.
func (b *Backend) ReadAt(co *coro.Co, p []byte, off int64) (err error) {
	began, err := b.Begin(co, false, off, int64(len(p)))
	if err != nil {
		return err
	}
	defer func() { b.End(false, began, int64(len(p)), err) }()
	return b.ReadPiece(co, p, off)
}

// WriteAt writes p at offset off, in bytes. It yields as ReadAt does.
func (b *Backend) WriteAt(co *coro.Co, p []byte, off int64) (err error) {
	began, err := b.Begin(co, true, off, int64(len(p)))
	if err != nil {
		return err
	}
	defer func() { b.End(true, began, int64(len(p)), err) }()
	return b.WritePiece(co, p, off)
}

// Begin begins a read or write of n bytes at offset off whose bytes move in
// pieces. It yields as ReadAt does; drained sections wait for its end. If there
// is no error, [Backend.End] ends it, with the time that Begin returned.
func (b *Backend) Begin(co *coro.Co, write bool, off, n int64) (began int64, err error) {
	began = b.now()
	b.begin(co)
	on := false
	defer func() { // also if co is being ended while it waits
		if !on {
			b.end()
		}
	}()
	if err := b.check(write, off, n); err != nil {
		b.tally(b.stats.of(write), began, n, err)
		return 0, err
	}
	admit(co, b.limits, direction(write), n)
	on = true
	return began, nil
}

// ReadPiece fills p from offset off, as part of a read. It yields.
func (b *Backend) ReadPiece(co *coro.Co, p []byte, off int64) error {
	return b.use.node.ReadAt(co, p, off)
}

// WritePiece writes p at offset off, as part of a write. It yields.
func (b *Backend) WritePiece(co *coro.Co, p []byte, off int64) error {
	return b.use.node.WriteAt(co, p, off)
}

// End ends what Begin began, and counts it.
func (b *Backend) End(write bool, began, n int64, err error) {
	b.tally(b.stats.of(write), began, n, err)
	b.end()
}

// Flush returns once what was written before is on stable storage. It yields
// as ReadAt does.
func (b *Backend) Flush(co *coro.Co) (err error) {
	began := b.now()
	b.begin(co)
	defer b.end()
	defer func() { b.tally(&b.stats.Flushes, began, 0, err) }()
	if b.closed || b.use == nil {
		return syscall.ENOMEDIUM
	}
	return b.use.node.Flush(co)
}

func (b *Backend) check(write bool, off, n int64) error {
	if b.closed || b.use == nil {
		return syscall.ENOMEDIUM
	}
	length := b.use.node.Length()
	switch {
	case write && b.use.node.readOnly:
		return syscall.EPERM
	case off < 0 || off > length || n > length-off:
		return syscall.EIO
	}
	return nil
}

// begin counts a request in, once no drained section keeps it out. Whoever
// ends the section counts it in on its behalf, so that a section that begins
// before the request runs on waits for it.
func (b *Backend) begin(co *coro.Co) {
	if b.quiesce == 0 {
		b.inFlight++
		return
	}
	b.parked = append(b.parked, co)
	killed := true
	defer func() {
		if killed { // the request is being ended while it waits
			b.abandon(co)
		}
	}()
	co.Yield()
	killed = false
}

func (b *Backend) abandon(co *coro.Co) {
	if i := slices.Index(b.parked, co); i >= 0 {
		b.parked = slices.Delete(b.parked, i, i+1)
		return
	}
	b.end()
}

func (b *Backend) end() {
	b.inFlight--
	if b.closed && b.use != nil && !b.busy() {
		b.giveBack()
	}
	b.graph.kick()
}

func (b *Backend) busy() bool { return b.inFlight > 0 }

// drainBegin implements [parent].
func (b *Backend) drainBegin() {
	b.quiesce++
	if ops, ok := b.device.(DrainOps); ok && b.quiesce == 1 {
		ops.DrainedBegin()
	}
	b.limits.Exempt()
}

// drainBusy implements [parent].
func (b *Backend) drainBusy() bool {
	ops, ok := b.device.(DrainOps)
	return b.busy() || ok && ops.DrainedPoll()
}

// drainEnd implements [parent].
func (b *Backend) drainEnd() {
	b.limits.Unexempt()
	b.quiesce--
	if b.quiesce > 0 {
		return
	}
	if ops, ok := b.device.(DrainOps); ok {
		ops.DrainedEnd()
	}
	waiting := b.parked
	b.parked = nil
	for _, co := range waiting {
		b.inFlight++
		co.Wake()
	}
}

// resized implements [parent].
func (b *Backend) resized() {
	if d, ok := b.device.(interface{ Resized() }); ok {
		d.Resized()
	}
}
