package block_test

import (
	"bytes"
	"errors"
	"syscall"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
)

// device records what a backend tells it.
type device struct {
	begun, ended, resized int
	busy                  bool
}

func (d *device) DrainedBegin()     { d.begun++ }
func (d *device) DrainedPoll() bool { return d.busy }
func (d *device) DrainedEnd()       { d.ended++ }
func (d *device) Resized()          { d.resized++ }

// gated is a raw node over a slow one over memory, with a device on top.
func (f *fixture) gated() (*block.Backend, *block.Gate, *device) {
	f.Helper()
	gate, dev := new(block.Gate), new(device)
	n := f.add(block.Options{Driver: "raw", NodeName: "top", File: &block.Options{
		Driver: "slow", NodeName: "slow", Gate: gate, File: &block.Options{Driver: "memory", NodeName: "base", Size: 1 << 20}}})
	b, err := f.attach(f.g, n, "/d")
	if err != nil {
		f.Fatal(err)
	}
	b.SetDevice(dev)
	return b, gate, dev
}

// spawn starts a coroutine and lets it run until it waits.
func (f *fixture) spawn(fn func(co *coro.Co)) {
	f.ctx.Spawn("test", fn)
	f.settle()
}

func (f *fixture) settle() {
	for f.ctx.Poll(false) {
	}
}

func (f *fixture) later(fn func()) { f.ctx.OneShot("later", fn) }

func TestDrainWaitsForRequestsAndParksNewOnes(t *testing.T) {
	f := newFixture(t)
	b, gate, dev := f.gated()
	defer b.Close()
	var order []int
	gate.Hold()
	for i := range 4 {
		f.spawn(func(co *coro.Co) {
			if i == 2 { // the first two are under way
				f.must(b.Node().DrainedBegin(co))
				order = append(order, -1)
				return
			}
			if err := b.WriteAt(co, []byte{byte(i + 1)}, int64(i)); err != nil {
				t.Error(err)
			}
			order = append(order, i)
		})
		if i == 1 {
			f.later(func() { f.later(gate.Release) }) // from within the section's poll
		}
	}
	f.settle()
	if want := []int{0, 1, -1}; !equal(order, want) {
		t.Fatalf("done %v, want %v", order, want)
	}
	if b.InFlight() != 0 || b.Parked() != 1 || b.Node().InFlight() != 0 || dev.begun != 1 || dev.ended != 0 {
		t.Errorf("in flight %d, parked %d, device told %d, %d", b.InFlight(), b.Parked(), dev.begun, dev.ended)
	}
	f.do(b.Node().DrainedEnd)
	f.settle()
	if want := []int{0, 1, -1, 3}; !equal(order, want) || dev.ended != 1 {
		t.Errorf("done %v, want %v; device told %d times of the end", order, want, dev.ended)
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestParkedGoOnInOrder(t *testing.T) {
	f := newFixture(t)
	b, _, _ := f.gated()
	defer b.Close()
	b.Node().Quiesce()
	b.Node().Quiesce() // sections nest
	var order []int
	for i := range 5 {
		f.spawn(func(co *coro.Co) {
			_ = b.ReadAt(co, make([]byte, 1), 0)
			order = append(order, i)
		})
	}
	b.Node().Unquiesce()
	f.settle()
	if b.Parked() != 5 || len(order) != 0 {
		t.Fatalf("%d parked, %v went on before the last section ended", b.Parked(), order)
	}
	b.Node().Unquiesce()
	// A section that begins before they run waits for them.
	if b.InFlight() != 5 {
		t.Errorf("%d in flight, want 5", b.InFlight())
	}
	b.Drain()
	if !equal(order, []int{0, 1, 2, 3, 4}) {
		t.Errorf("order %v", order)
	}
}

// A node below, drained, keeps everything above idle: nodes and devices.
func TestDrainTellsParents(t *testing.T) {
	f := newFixture(t)
	b, _, dev := f.gated()
	defer b.Close()
	base := f.g.Lookup("base")
	base.Quiesce()
	if dev.begun != 1 {
		t.Errorf("device told %d times", dev.begun)
	}
	f.g.Lookup("slow").Quiesce() // the edge above was told before
	b2, err := f.g.Attach(b.Node(), "/d2")
	if err != nil {
		t.Fatal(err)
	}
	late := new(device)
	b2.SetDevice(late)
	if dev.begun != 1 || late.begun != 1 {
		t.Errorf("devices told %d, %d times, want once each", dev.begun, late.begun)
	}
	b2.Close()
	f.g.Lookup("slow").Unquiesce()
	if dev.ended != 0 {
		t.Error("the end of the inner section ended the outer one")
	}
	base.Unquiesce()
	if dev.ended != 1 {
		t.Errorf("device told %d times of the end", dev.ended)
	}
	dev.busy = true
	polled := false
	f.later(func() { polled, dev.busy = true, false })
	base.Drain()
	if !polled {
		t.Error("did not wait for the device")
	}
}

// Nodes made while all are drained are drained as well.
func TestDrainAll(t *testing.T) {
	f := newFixture(t)
	b, gate, dev := f.gated()
	defer b.Close()
	gate.Hold()
	f.spawn(func(co *coro.Co) { _ = b.WriteAt(co, []byte{1}, 0) })
	f.later(gate.Release)
	f.g.QuiesceAll()
	if n := b.InFlight(); n != 0 {
		t.Errorf("%d in flight", n)
	}
	made := f.add(block.Options{Driver: "raw", NodeName: "late", File: &block.Options{Driver: "memory", Size: 512}})
	mb, err := f.attach(f.g, made, "/late")
	if err != nil {
		t.Fatal(err)
	}
	done := false
	f.spawn(func(co *coro.Co) { _ = mb.Flush(co); done = true })
	if done || mb.Parked() != 1 {
		t.Error("a request to a new node went on in the section")
	}
	f.do(func(co *coro.Co) { f.must(f.g.DrainedAllBegin(co)) })
	f.g.UnquiesceAll()
	f.settle()
	if done {
		t.Error("went on before the second section ended")
	}
	f.g.UnquiesceAll()
	f.settle()
	if !done || dev.begun != dev.ended {
		t.Errorf("done %v, device told %d, %d", done, dev.begun, dev.ended)
	}
	mb.Close()
}

// A request that is ended while it is parked, or after it was let go on but
// before it did, leaves the counts right.
func TestKilledWhileParked(t *testing.T) {
	for _, letGo := range []bool{false, true} {
		f := newFixture(t)
		b, _, _ := f.gated()
		b.Node().Quiesce()
		co := coro.New("parked", func(co *coro.Co) { _ = b.Flush(co) })
		co.SetHome(f.ctx)
		co.Enter()
		if letGo {
			b.Node().Unquiesce()
		}
		co.Kill()
		if b.Parked() != 0 || b.InFlight() != 0 {
			t.Errorf("let go %v: parked %d, in flight %d", letGo, b.Parked(), b.InFlight())
		}
		if !letGo {
			b.Node().Unquiesce()
		}
		b.Close()
		f.ctx.Close()
	}
}

// A closed backend holds its node until its last request has ended.
func TestCloseWaitsForNobody(t *testing.T) {
	f := newFixture(t)
	b, gate, dev := f.gated()
	gate.Hold()
	var got error
	ended := false
	f.spawn(func(co *coro.Co) { got = b.WriteAt(co, []byte{1}, 0); ended = true })
	b.Close()
	if err := f.delete("top"); ended || err == nil || err.Error() != "Node top is in use" {
		t.Errorf("ended %v; %v", ended, err)
	}
	gate.Release()
	f.settle()
	if got != nil || !ended || b.InFlight() != 0 || dev.ended != 0 {
		t.Errorf("%v, ended %v, %d in flight, device told %d times", got, ended, b.InFlight(), dev.ended)
	}
	f.must(f.delete("top"))
}

func TestDeleteDrains(t *testing.T) {
	f := newFixture(t)
	b, gate, _ := f.gated()
	b.Close()
	n := f.g.Lookup("top")
	gate.Hold()
	f.spawn(func(co *coro.Co) { f.must(n.WriteAt(co, []byte{1}, 0)) })
	f.later(gate.Release)
	if err := f.delete("top"); err != nil || f.g.Lookup("top") != nil || n.InFlight() != 0 || gate.Passed() != 2 { // deleting flushes
		t.Errorf("%v, %d in flight, %d passed", err, n.InFlight(), gate.Passed())
	}
}

func TestRequestsOfAClosedBackend(t *testing.T) {
	f := newFixture(t)
	b, _, _ := f.gated()
	b.Node().Quiesce()
	var got error
	f.spawn(func(co *coro.Co) { got = b.WriteAt(co, []byte{1}, 0) })
	b.Close()
	f.settle()
	if !errors.Is(got, syscall.ENOMEDIUM) {
		t.Errorf("parked request after close: %v", got)
	}
	f.g.Lookup("top").Unquiesce()
}

// Requests under load, sections that come and go: in a section nothing is in
// flight, and in the end everything was done.
func TestDrainUnderLoad(t *testing.T) {
	f := newFixture(t)
	n := f.add(block.Options{Driver: "raw", NodeName: "d", File: &block.Options{Driver: "file", Filename: f.image(1 << 16)}})
	b, err := f.attach(f.g, n, "/d")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const workers, rounds = 16, 30
	done := 0
	for i := range workers {
		f.ctx.Spawn("worker", func(co *coro.Co) {
			p := bytes.Repeat([]byte{byte(i)}, 512)
			for range rounds {
				if err := b.WriteAt(co, p, int64(512*i)); err != nil {
					t.Error(err)
				}
			}
			done++
		})
	}
	const sections = 20 // a bound: where sections overlap for ever, requests wait for ever
	clock, ended := aio.NewClock(f.ctx.World(), true), 0
	for range 3 {
		f.ctx.Spawn("section", func(co *coro.Co) {
			for range sections {
				f.must(n.DrainedBegin(co))
				for range 3 {
					// The node's own count has the other sections' beginnings and ends.
					if b.InFlight() != 0 || n.File().InFlight() != 0 {
						t.Errorf("in flight: %d, %d", b.InFlight(), n.File().InFlight())
					}
					aio.Sleep(co, clock, 1000)
				}
				n.DrainedEnd(co)
				ended++
			}
		})
	}
	f.ctx.WaitWhile(func() bool { return f.ctx.Coroutines() > 0 })
	if ended != 3*sections || done != workers {
		t.Errorf("%d sections, %d workers done", ended, done)
	}
}
