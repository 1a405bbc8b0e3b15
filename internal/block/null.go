package block

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// null is the driver null-co: it stores nothing and answers at once or after
// a set time.
type null struct {
	n    *Node
	size int64
}

// nullSize is null-co's size when none is given, in bytes (QEMU's default).
const nullSize = 1 << 30

func newNull(n *Node) (driver, error) {
	o := n.opts
	switch {
	case o.Size < 0:
		return nil, qerr.New("Parameter 'size' expects a >0 size")
	case o.LatencyNS < 0:
		return nil, qerr.New("latency-ns is invalid")
	}
	d := &null{n: n, size: o.Size}
	if d.size == 0 {
		d.size = nullSize
	}
	return d, nil
}

func (d *null) length() int64                              { return d.size }
func (d *null) setPermissions(_, _ Perm) error             { return nil }
func (d *null) close()                                     {}
func (d *null) flush(co *coro.Co) error                    { return d.delay(co) }
func (d *null) write(co *coro.Co, _ []byte, _ int64) error { return d.delay(co) }

func (d *null) read(co *coro.Co, p []byte, _ int64) error {
	if d.n.opts.ReadZeroes {
		clear(p)
	}
	return d.delay(co)
}

func (d *null) delay(co *coro.Co) error {
	if ns := d.n.opts.LatencyNS; ns > 0 {
		aio.Sleep(co, d.n.graph.clock, ns)
	}
	return nil
}
