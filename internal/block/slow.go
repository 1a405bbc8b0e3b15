package block

import (
	"slices"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
)

// slow is a filter for tests and scenarios: its requests wait at a gate before
// they reach its child. There is no way to it but the Go API.
type slow struct {
	n    *Node
	file *Node
	gate *Gate
}

// A Gate is what the requests of a slow node wait for: a delay, and the gate
// being open. It may also fail them. The zero Gate lets everything through at once. It is used under
// the BQL.
type Gate struct {
	DelayNS int64 // on the graph's clock
	Err     error // what reads, writes and flushes fail with; nil: nothing

	held    bool
	waiting []*coro.Co
	passed  int
}

// Hold closes the gate: requests that come wait.
func (g *Gate) Hold() { g.held = true }

// Release opens the gate and lets all pass that wait, first come first.
func (g *Gate) Release() {
	g.held = false
	for len(g.waiting) > 0 {
		g.Step()
	}
}

// Step lets the request pass that has waited longest, and leaves the gate as
// it is. It reports whether there was one.
func (g *Gate) Step() bool {
	if len(g.waiting) == 0 {
		return false
	}
	co := g.waiting[0]
	g.waiting = g.waiting[1:]
	co.Wake()
	return true
}

// Waiting returns how many requests wait for the gate to open.
func (g *Gate) Waiting() int { return len(g.waiting) }

// Passed returns how many requests have passed.
func (g *Gate) Passed() int { return g.passed }

func (g *Gate) pass(co *coro.Co, clock *aio.Clock) error {
	if g.DelayNS > 0 {
		aio.Sleep(co, clock, g.DelayNS)
	}
	if g.held {
		g.wait(co)
	}
	g.passed++
	return g.Err
}

func (g *Gate) wait(co *coro.Co) {
	g.waiting = append(g.waiting, co)
	defer func() { // of use only if co is being ended while it waits
		g.waiting = slices.DeleteFunc(g.waiting, func(have *coro.Co) bool { return have == co })
	}()
	co.Yield()
}

func (n *Node) openSlow(co *coro.Co) (driver, error) {
	child, err := n.adopt(co)
	if err != nil {
		return nil, err
	}
	gate := n.opts.Gate
	if gate == nil {
		gate = new(Gate)
	}
	return &slow{n: n, file: child, gate: gate}, n.nurse(child, 0, AllPerms)
}

func (d *slow) pass(co *coro.Co) error { return d.gate.pass(co, d.n.graph.clock) }

func (d *slow) length() int64                  { return d.file.drv.length() }
func (d *slow) setPermissions(_, _ Perm) error { return nil }
func (d *slow) close()                         {}

func (d *slow) read(co *coro.Co, p []byte, off int64) error {
	if err := d.pass(co); err != nil {
		return err
	}
	return d.file.ReadAt(co, p, off)
}

func (d *slow) write(co *coro.Co, p []byte, off int64) error {
	if err := d.pass(co); err != nil {
		return err
	}
	return d.file.WriteAt(co, p, off)
}

func (d *slow) flush(co *coro.Co) error {
	if err := d.pass(co); err != nil {
		return err
	}
	return d.file.Flush(co)
}

func (d *slow) truncate(co *coro.Co, size int64) error {
	_ = d.pass(co)
	return d.file.Truncate(co, size)
}
