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
//
// # Drained sections
//
// Between its beginning and its end a drained section keeps a node idle. To
// begin one is to tell the node's parents, once an edge, all the way up to the
// devices, which stop submitting, and then to wait until nothing is in flight
// at the node or above. What reaches a backend meanwhile is parked, and goes
// on, first come first served, at the end; what waits for its throttle group, there
// or below, is let go. Who begins a section is a coroutine and yields meanwhile, so
// that nobody waits with it however long a request takes. Nothing polls with the BQL
// held as QEMU does, but studies of that ([Graph.SetNested], [Node.Quiesce]).
//
// Goroutines: none but the workers of the pool. Locks: all state is under the
// BQL, and requests and drained sections live in the main context.
package block

import (
	"fmt"
	"slices"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block/throttle"
	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// SectorSize is the unit of capacities, in bytes.
const SectorSize = 512

// MaxNodeName is the longest node name, in bytes (QEMU's limit).
const MaxNodeName = 31

// Options says what a node is to be. It is the part of QAPI's BlockdevOptions
// that this layer has.
type Options struct {
	Driver       string // "file", "null-co", "qcow2", "raw" or "throttle"; from Go also "memory" and "slow"
	NodeName     string // empty: one is made up
	ReadOnly     bool
	AutoReadOnly bool // open read-only if writing is not allowed
	Direct       bool // cache.direct: recorded and refused where it has no effect
	NoFlush      bool // cache.no-flush: flushes are ignored

	Filename string // file: path of a regular file or block device
	Locking  string // file: "on", "off" or "auto" (also "")

	Size       int64 // null-co, memory: bytes (0: 1 GiB, as QEMU); raw: bytes, or 0 for all
	NoBacking  bool  // qcow2: do without the backing file that the image names
	Offset     int64 // raw: where in the child it starts
	LatencyNS  int64 // null-co: how long each request takes
	ReadZeroes bool  // null-co: reads give zeroes instead of leaving the buffer alone

	ThrottleGroup string // throttle: the name of a group that exists

	Gate *Gate // slow: what its requests wait for

	File    *Options // qcow2, raw, throttle, slow: the child, made with it
	FileRef string   // qcow2, raw, throttle, slow: the child, an existing node's name
}

// A Graph is all nodes of a machine.
type Graph struct {
	main  *aio.Context
	pool  *aio.Pool
	clock *aio.Clock
	files *descriptor.Sets // nil for none

	nodes  map[string]*Node
	order  []*Node // in order of creation
	lastID int     // for made-up names

	backends []*Backend          // in order of creation
	drives   map[string]*Backend // those of drives, by the id

	groups      *throttle.Set
	onThreshold func(Exceeded)
	onFault     func(Fault)

	polls    int     // nested polls that wait for requests to end
	ended    endings // coroutines that do
	nested   bool    // see SetNested
	drainAll int     // sections that drain every node, those to come included
}

// NewGraph returns an empty graph whose requests live in main, whose blocking
// work runs on pool and whose artificial delays are measured by clock.
func NewGraph(main *aio.Context, pool *aio.Pool, clock *aio.Clock) *Graph {
	return &Graph{main: main, pool: pool, clock: clock, nodes: make(map[string]*Node), drives: make(map[string]*Backend),
		groups: newGroups(main, clock)}
}

// OpenFrom has file nodes find descriptors behind paths of sets. It is for
// before the first node.
func (g *Graph) OpenFrom(files *descriptor.Sets) { g.files = files }

// Lookup returns the node of that name, or nil.
func (g *Graph) Lookup(name string) *Node { return g.nodes[name] }

// Nodes returns all nodes in order of creation.
func (g *Graph) Nodes() []*Node { return slices.Clone(g.order) }

// Add makes a node (and its child, if it is described rather than named) and
// returns it. It opens files, which may block for as long as the host takes, and
// yields while a format reads its image; nobody else waits with it. If co is
// cancelled meanwhile there is an error and no node. co is nil for who builds a
// machine that does not run yet: then the main context is polled. On error
// nothing is left behind.
func (g *Graph) Add(co *coro.Co, o Options) (*Node, error) {
	if o.NodeName == "" {
		return nil, qerr.New("'node-name' must be specified for the root node")
	}
	n, err := g.open(co, o)
	if err != nil {
		return nil, err
	}
	n.owned = true
	return n, nil
}

func (g *Graph) open(co *coro.Co, o Options) (*Node, error) {
	if err := g.checkName(o.NodeName); err != nil {
		return nil, err
	}
	n := &Node{graph: g, opts: o, readOnly: o.ReadOnly}
	if n.opts.NodeName == "" {
		g.lastID++
		n.opts.NodeName = fmt.Sprintf("#block%03d", 100+g.lastID)
	}
	if err := n.openDriver(co); err != nil {
		return nil, err
	}
	if g.nodes[n.Name()] != nil { // opening yields, and things happen meanwhile
		n.close()
		return nil, qerr.New("Duplicate nodes with node-name='%s'", n.Name())
	}
	n.quiesce += g.drainAll // besides the sections of its children
	if n.quiesce > 0 {
		n.unhurry() // the driver was not there yet
		n.hurry()
	}
	n.told, n.openedReadOnly = n.Length(), n.readOnly
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

// Delete removes a node that the monitor made and nobody uses. It yields until
// nothing is in flight at the node and what was written is flushed; nobody else
// waits with it. If co is cancelled while it waits, the node stays.
func (g *Graph) Delete(co *coro.Co, name string) error {
	n, err := g.deletable(name)
	if err != nil {
		return err
	}
	if err := n.DrainedBegin(co); err != nil {
		return err
	}
	err = n.flushApart(co) // errors of the flush: who minds has flushed
	if err == nil {
		again, gone := g.deletable(name)
		if again == n {
			n.remove()
			return nil
		}
		err = gone // things happen while we wait
	}
	n.DrainedEnd(co)
	return err
}

func (g *Graph) deletable(name string) (*Node, error) {
	n := g.nodes[name]
	switch {
	case n == nil:
		return nil, qerr.New("Failed to find node with node-name='%s'", name)
	case !n.owned:
		return nil, qerr.New("Node %s is not owned by the monitor", name)
	case len(n.users) > 0:
		return nil, qerr.New("Node %s is in use", name)
	}
	return n, nil
}

// Close removes every node and drive. No device is left and no request in flight.
func (g *Graph) Close() {
	for len(g.backends) > 0 {
		g.backends[0].destroy()
	}
	for len(g.order) > 0 {
		n := g.order[len(g.order)-1]
		n.users = nil
		n.remove()
	}
}
