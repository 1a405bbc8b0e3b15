package block

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// MaxLength is the largest size of a node, in bytes (QEMU's limit: the largest
// multiple of the largest alignment).
const MaxLength = 1<<63 - 1<<30

// Truncate makes the node size bytes long, through its driver, and tells those
// above it. What is added reads as zeroes. It yields with the node's in-flight
// count raised.
func (n *Node) Truncate(co *coro.Co, size int64) error {
	switch {
	case size < 0:
		return qerr.New("Image size cannot be negative")
	case size > MaxLength:
		return qerr.New("offset(%d) exceeds maximum(%d)", size, int64(MaxLength))
	case n.readOnly:
		return qerr.New("Image is read-only")
	}
	d, ok := n.drv.(truncater)
	if !ok {
		return qerr.New("Image format driver does not support resize")
	}
	n.begin()
	defer n.end()
	err := n.truncate(co, d, size)
	if err == nil || n.Length() != n.told { // it may fail with the work half done
		n.tellResized()
	}
	return err
}

func (n *Node) truncate(co *coro.Co, d truncater, size int64) error {
	n.resizing = true
	defer func() { n.resizing = false }()
	n.writes++
	return d.truncate(co, size)
}

// tellResized tells the node's users of its new length, also if it is the old
// one: so guests hear of every block_resize, as from QEMU.
func (n *Node) tellResized() {
	n.told = n.Length()
	for _, u := range n.users {
		u.parent.resized()
	}
}

// resized implements [parent]: a node that passes its child through may have
// got another length by it.
func (n *Node) resized() {
	if !n.resizing && n.Length() != n.told {
		n.tellResized()
	}
}

// Enter moves the coroutine to the node's context and raises the node's
// in-flight count until [Node.Leave]. It returns where the coroutine came
// from. It yields if that is another context.
func (n *Node) Enter(co *coro.Co) *aio.Context {
	from := co.Home().(*aio.Context)
	n.begin()
	aio.MoveTo(co, n.graph.main)
	return from
}

// Leave undoes Enter. The in-flight count stays up until the coroutine is
// back, so a drained section waits for the context it came from: if that is
// one that nested polls do not serve, and a nested poll waits, for ever.
func (n *Node) Leave(co *coro.Co, to *aio.Context) {
	aio.MoveTo(co, to)
	n.end()
}

// Resize is block_resize: it makes the node known by device (a drive's id) or
// by name size bytes long, in a drained section. It yields. If co is cancelled
// before its turn comes everything is as it was; once the driver has been asked,
// it is done.
func (g *Graph) Resize(co *coro.Co, device, nodeName string, size int64) error {
	n := g.nodes[nodeName]
	drive := g.Drive(device)
	if drive != nil {
		n = drive.Node()
	}
	switch {
	case drive != nil && n == nil:
		return qerr.New("Device '%s' has no medium", device)
	case n == nil:
		return qerr.New("Cannot find device='%s' nor node-name='%s'", device, nodeName)
	case size < 0:
		return qerr.New("Parameter 'size' expects a >0 size")
	}
	b, err := n.borrow(Resize)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := n.DrainedBegin(co); err != nil {
		return err
	}
	home := n.Enter(co)
	if err = co.Err(); err == nil {
		err = n.Truncate(co, size)
	}
	n.Leave(co, home)
	n.DrainedEnd(co)
	return err
}
