// Package block is the block layer: a graph of nodes, each a driver over a
// file or over other nodes, and the backends through which devices use them.
//
// A [Graph] belongs to one machine. Everything that changes it (Add, Delete,
// Attach, Close) runs under the BQL. Requests ([Backend.ReadAt] and its kin)
// are made by coroutines; they yield while the host works, on the workers of
// an aio.Pool, and hold no lock meanwhile. A backend is closed only when none
// of its requests is in flight; whoever owns it sees to that.
//
// What may be done to a node is negotiated by permissions, as in QEMU: every
// user of a node says what it needs and what it lets others do at the same
// time. Needs travel down to the protocol driver, where the file driver turns
// them into advisory locks on the image that other processes respect
// (qemu-img among them).
package block

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// SectorSize is the unit of capacities, in bytes.
const SectorSize = 512

// MaxNodeName is the longest node name, in bytes (QEMU's limit).
const MaxNodeName = 31

// Options says what a node is to be. It is the part of QAPI's BlockdevOptions
// that this layer has.
type Options struct {
	Driver       string // "file", "null-co" or "raw"
	NodeName     string // empty: one is made up
	ReadOnly     bool
	AutoReadOnly bool // open read-only if writing is not allowed
	Direct       bool // cache.direct: recorded and refused where it has no effect
	NoFlush      bool // cache.no-flush: flushes are ignored

	Filename string // file: path of a regular file or block device
	Locking  string // file: "on", "off" or "auto" (also "")

	Size       int64 // null-co: bytes (0: 1 GiB, as QEMU); raw: bytes, or 0 for all
	Offset     int64 // raw: where in the child it starts
	LatencyNS  int64 // null-co: how long each request takes
	ReadZeroes bool  // null-co: reads give zeroes instead of leaving the buffer alone

	File    *Options // raw: the child, made with it
	FileRef string   // raw: the child, an existing node's name
}

// driver is what a node does with requests. Reads and writes are within the
// length.
type driver interface {
	length() int64
	read(co *coro.Co, p []byte, off int64) error
	write(co *coro.Co, p []byte, off int64) error
	flush(co *coro.Co) error
	// setPermissions makes the driver ready for what its node's users may do.
	setPermissions(need, share Perm) error
	close()
}

// A Graph is all nodes of a machine.
type Graph struct {
	pool  *aio.Pool
	clock *aio.Clock

	nodes  map[string]*Node
	drives map[string]*Node // what -drive made, by its id
	order  []*Node          // in order of creation
	lastID int              // for made-up names
}

// NewGraph returns an empty graph whose blocking work runs on pool and whose
// artificial delays are measured by clock.
func NewGraph(pool *aio.Pool, clock *aio.Clock) *Graph {
	return &Graph{pool: pool, clock: clock, nodes: make(map[string]*Node), drives: make(map[string]*Node)}
}

// A Node is one driver instance in the graph. Its fields are under the BQL.
type Node struct {
	graph    *Graph
	opts     Options
	drv      driver
	users    []*use // who uses the node, oldest first
	children []*use // the nodes it uses
	owned    bool   // made by blockdev-add or -blockdev, not for a parent
	drive    string // the id of the -drive it was made by
	readOnly bool
	inFlight int
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

// InFlight returns how many requests are being worked on.
func (n *Node) InFlight() int { return n.inFlight }

// Lookup returns the node of that name, or nil.
func (g *Graph) Lookup(name string) *Node { return g.nodes[name] }

// Nodes returns all nodes in order of creation.
func (g *Graph) Nodes() []*Node { return slices.Clone(g.order) }

// Add makes a node (and its child, if it is described rather than named) and
// returns it. It opens files and so may block for as long as the host takes.
// On error nothing is left behind.
func (g *Graph) Add(o Options) (*Node, error) {
	if o.NodeName == "" {
		return nil, qerr.New("'node-name' must be specified for the root node")
	}
	n, err := g.open(o)
	if err != nil {
		return nil, err
	}
	n.owned = true
	return n, nil
}

// AddDrive makes a node, usually without a name, that devices know by id as
// well. It stays until the graph is closed.
func (g *Graph) AddDrive(id string, o Options) (*Node, error) {
	if g.drives[id] != nil {
		return nil, qerr.New("Duplicate ID '%s' for drive", id)
	}
	if !wellFormed(id) {
		return nil, qerr.New("Parameter 'id' expects an identifier")
	}
	n, err := g.open(o)
	if err != nil {
		return nil, err
	}
	n.drive = id
	g.drives[id] = n
	return n, nil
}

// Find returns what a device's drive property names: a drive's node or a node.
func (g *Graph) Find(name string) *Node {
	if n := g.drives[name]; n != nil {
		return n
	}
	return g.nodes[name]
}

// Drive returns the id of the -drive that made the node, or "".
func (n *Node) Drive() string { return n.drive }

func (g *Graph) open(o Options) (*Node, error) {
	if err := g.checkName(o.NodeName); err != nil {
		return nil, err
	}
	n := &Node{graph: g, opts: o, readOnly: o.ReadOnly}
	if n.opts.NodeName == "" {
		g.lastID++
		n.opts.NodeName = fmt.Sprintf("#block%03d", 100+g.lastID)
	}
	if err := n.openDriver(); err != nil {
		return nil, err
	}
	g.nodes[n.Name()] = n
	g.order = append(g.order, n)
	return n, nil
}

func (g *Graph) checkName(name string) error {
	switch {
	case name == "":
		return nil
	case !wellFormed(name):
		return qerr.New("Invalid node-name: '%s'", name)
	case g.nodes[name] != nil:
		return qerr.New("Duplicate nodes with node-name='%s'", name)
	case len(name) > MaxNodeName:
		return qerr.New("Node name too long")
	}
	return nil
}

// wellFormed is QEMU's rule for ids: a letter, then letters, digits, '-', '.'
// and '_'.
func wellFormed(id string) bool {
	for i, c := range []byte(id) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '-' && c != '.' && c != '_') {
			return false
		}
	}
	return id != ""
}

func (n *Node) openDriver() (err error) {
	switch n.opts.Driver {
	case "null-co":
		n.drv, err = newNull(n)
	case "file":
		n.drv, err = openFile(n)
	case "raw":
		n.drv, err = n.openRaw()
	default:
		err = qerr.New("Parameter 'driver' does not accept value '%s'", n.opts.Driver)
	}
	return err
}

// Delete removes a node that the monitor made and nobody uses.
func (g *Graph) Delete(name string) error {
	n := g.nodes[name]
	switch {
	case n == nil:
		return qerr.New("Failed to find node with node-name='%s'", name)
	case !n.owned:
		return qerr.New("Node %s is not owned by the monitor", name)
	case len(n.users) > 0:
		return qerr.New("Node %s is in use", name)
	}
	n.remove()
	return nil
}

// remove closes an unused node and the children made for it.
func (n *Node) remove() {
	g := n.graph
	delete(g.nodes, n.Name())
	g.order = slices.DeleteFunc(g.order, func(have *Node) bool { return have == n })
	for _, c := range n.children {
		c.drop()
		if !c.node.owned && len(c.node.users) == 0 {
			c.node.remove()
		}
	}
	n.children = nil
	n.drv.close()
}

// Close removes every node. No backend is left and no request in flight.
func (g *Graph) Close() {
	for len(g.order) > 0 {
		n := g.order[len(g.order)-1]
		n.users = nil
		n.remove()
	}
}

// request runs f with the node's in-flight count raised.
func (n *Node) request(f func() error) error {
	n.inFlight++
	defer func() { n.inFlight-- }()
	return f()
}

func (n *Node) read(co *coro.Co, p []byte, off int64) error {
	if err := n.checkRange(p, off); err != nil {
		return err
	}
	return n.request(func() error { return n.drv.read(co, p, off) })
}

func (n *Node) write(co *coro.Co, p []byte, off int64) error {
	if n.readOnly {
		return syscall.EPERM
	}
	if err := n.checkRange(p, off); err != nil {
		return err
	}
	return n.request(func() error { return n.drv.write(co, p, off) })
}

func (n *Node) flush(co *coro.Co) error {
	if n.opts.NoFlush || n.readOnly {
		return nil
	}
	return n.request(func() error { return n.drv.flush(co) })
}

func (n *Node) checkRange(p []byte, off int64) error {
	if off < 0 || off > n.Length() || int64(len(p)) > n.Length()-off {
		return syscall.EIO
	}
	return nil
}

// zeroTail fills what a short read at the end of an image left.
func zeroTail(p []byte, n int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		clear(p[n:])
		return nil
	}
	return err
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
