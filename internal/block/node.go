package block

import (
	"slices"
	"syscall"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// driver is what a node does with requests.
type driver interface {
	// length is in bytes.
	length() int64
	// read fills p; what lies past the end reads as zeroes.
	read(co *coro.Co, p []byte, off int64) error
	// write may go past the end if the driver can grow.
	write(co *coro.Co, p []byte, off int64) error
	flush(co *coro.Co) error
	// setPermissions makes the driver ready for what its node's users may do.
	setPermissions(need, share Perm) error
	close()
}

// truncater is a driver whose nodes can be resized.
type truncater interface {
	truncate(co *coro.Co, size int64) error
}

// format is a driver that does not pass its users' permissions on as they are.
type format interface {
	childPermissions(need, share Perm) (childNeed, childShare Perm)
}

// drainer is a driver that hears of drained sections of its node and of those
// above it, after the parents.
type drainer interface {
	drainBegin()
	drainEnd()
}

// A Node is one driver instance in the graph. Its fields are under the BQL.
type Node struct {
	graph          *Graph
	opts           Options
	drv            driver
	users          []*use // who uses the node, oldest first
	children       []*use // the nodes it uses
	owned          bool   // made by blockdev-add or -blockdev, not for a parent
	held           bool   // see [Graph.Open]
	readOnly       bool
	openedReadOnly bool // readOnly as it was when the driver opened

	inFlight  int       // requests, and whatever else a drained section waits for
	highest   int64     // see HighestWrite
	threshold uint64    // see SetWriteThreshold
	writes    int       // and changes of the length, begun
	flushed   int       // so many of writes are on stable storage
	hurried   []drainer // who was told of the drained section
	quiesce   int       // drained sections the node is in

	told     int64 // the length that the users know
	resizing bool  // its own truncate runs, and tells them
}

// Name returns the node's name.
func (n *Node) Name() string { return n.opts.NodeName }

// Driver returns the name of the node's driver.
func (n *Node) Driver() string { return n.opts.Driver }

// Options returns what the node was made from.
func (n *Node) Options() Options { return n.opts }

// ReadOnly reports whether the node refuses writes.
func (n *Node) ReadOnly() bool { return n.readOnly }

// Length returns the node's size in bytes, rounded up to a whole sector.
func (n *Node) Length() int64 {
	return (n.drv.length() + SectorSize - 1) / SectorSize * SectorSize
}

// File returns the node under this one, or nil.
func (n *Node) File() *Node {
	if len(n.children) == 0 {
		return nil
	}
	return n.children[0].node
}

// ActualSize returns how many bytes the node's image takes on the host.
func (n *Node) ActualSize() int64 {
	if d, ok := n.drv.(interface{ allocated() int64 }); ok {
		return d.allocated()
	}
	if f := n.File(); f != nil {
		return f.ActualSize()
	}
	return 0
}

func (n *Node) openDriver(co *coro.Co) (err error) {
	switch n.opts.Driver {
	case "file":
		n.drv, err = openFile(n)
	case "memory":
		n.drv, err = newMemory(n)
	case "null-co":
		n.drv, err = newNull(n)
	case "qcow2":
		n.drv, err = n.openQcow2(co)
	case "raw":
		n.drv, err = n.openRaw(co)
	case "slow":
		n.drv, err = n.openSlow(co)
	case "throttle":
		n.drv, err = n.openThrottle(co)
	default:
		err = qerr.New("Parameter 'driver' does not accept value '%s'", n.opts.Driver)
	}
	return err
}

// adopt makes the node that the driver will sit on, or finds it. It is for the
// drivers' opening, which goes on with [Node.nurse], or gives the child back
// with [Node.dropUnused]. A child made here takes over read-only and the cache
// mode from its parent.
func (n *Node) adopt(co *coro.Co) (child *Node, err error) {
	o := &n.opts
	switch {
	case o.FileRef != "":
		if child = n.graph.nodes[o.FileRef]; child == nil {
			return nil, qerr.New("Cannot find device='%s' nor node-name='%s'", o.FileRef, o.FileRef)
		}
	case o.File == nil:
		return nil, qerr.New("A block device must be specified for \"file\"")
	default:
		c := *o.File
		c.ReadOnly = c.ReadOnly || o.ReadOnly
		c.AutoReadOnly = c.AutoReadOnly || o.AutoReadOnly
		c.Direct = c.Direct || o.Direct
		c.NoFlush = c.NoFlush || o.NoFlush
		if child, err = n.graph.open(co, c); err != nil {
			return nil, err
		}
	}
	n.readOnly = n.readOnly || child.readOnly
	return child, nil
}

// nurse attaches the node to the child that adopt found, with the permissions
// that the driver asks for on behalf of no users yet; if it cannot, it gives
// the child back. From then on [Node.orphan] undoes both.
func (n *Node) nurse(child *Node, need, share Perm) error {
	u := &use{node: child, desc: "node '" + n.Name() + "'", role: "file", need: need, share: share, parent: n}
	if err := u.attach(); err != nil {
		child.dropUnused()
		return err
	}
	n.children = append(n.children, u)
	return nil
}

// orphan gives the node's children back.
func (n *Node) orphan() {
	for _, c := range n.children {
		c.drop()
		c.node.dropUnused()
	}
	n.children = nil
}

// dropUnused removes a node that was made for a parent and has none any more.
func (n *Node) dropUnused() {
	if !n.owned && !n.held && len(n.users) == 0 && n.graph.nodes[n.Name()] == n {
		n.remove()
	}
}

// remove closes an unused node and the children made for it.
func (n *Node) remove() {
	g := n.graph
	delete(g.nodes, n.Name())
	g.order = slices.DeleteFunc(g.order, func(have *Node) bool { return have == n })
	n.close()
}

func (n *Node) close() {
	n.orphan()
	n.drv.close()
}

// begin and end bracket whatever a drained section has to wait for.
func (n *Node) begin() { n.inFlight++ }

func (n *Node) end() {
	n.inFlight--
	n.graph.kick()
}

// InFlight returns how many requests are being worked on.
func (n *Node) InFlight() int { return n.inFlight }

// ReadAt fills p from offset off, in bytes, and yields. What lies past the end
// reads as zeroes.
func (n *Node) ReadAt(co *coro.Co, p []byte, off int64) error {
	n.begin()
	defer n.end()
	return n.drv.read(co, p, off)
}

// WriteAt writes p at offset off, in bytes, and yields. Past the end it makes
// a node grow that can.
func (n *Node) WriteAt(co *coro.Co, p []byte, off int64) error {
	if n.readOnly {
		return syscall.EPERM
	}
	n.begin()
	defer n.end()
	n.writes++
	n.checkThreshold(off + int64(len(p)))
	err := n.drv.write(co, p, off)
	if err == nil {
		n.highest = max(n.highest, off+int64(len(p)))
	}
	return err
}

// HighestWrite returns where the write ended that went furthest, in bytes; 0
// before the first.
func (n *Node) HighestWrite() int64 { return n.highest }

// flushless reports whether a flush has nothing to do.
func (n *Node) flushless() bool {
	return n.readOnly || len(n.children) == 0 && (n.opts.NoFlush || n.flushed == n.writes)
}

// Flush returns once what was written before is on stable storage, or, under
// cache.no-flush, with the host. It yields, unless a node without children has
// nothing to flush.
func (n *Node) Flush(co *coro.Co) error {
	if n.flushless() {
		return nil
	}
	n.begin()
	defer n.end()
	writes := n.writes
	if err := n.drv.flush(co); err != nil {
		return err
	}
	n.flushed = max(n.flushed, writes)
	return nil
}
