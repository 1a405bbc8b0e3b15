package block_test

import (
	"errors"
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
)

// opening begins to open a qcow2 image on a slow file, which holds.
func (f *fixture) opening() (gate *block.Gate, cancel func(error), opened func() (*block.Node, error)) {
	f.Helper()
	file := f.add(block.Options{Driver: "memory", NodeName: "file"})
	f.do(func(co *coro.Co) { f.must(file.FormatQcow2(co, 1<<20)) })
	gate = new(block.Gate)
	f.add(block.Options{Driver: "slow", NodeName: "slow", FileRef: "file", Gate: gate})
	gate.Hold()
	var (
		n     *block.Node
		err   error
		over  bool
		scope *coro.Scope
	)
	f.spawn(func(co *coro.Co) {
		scope = co.Begin()
		defer scope.End()
		n, err = f.g.Add(co, block.Options{Driver: "qcow2", NodeName: "q", FileRef: "slow"})
		over = true
	})
	f.settle()
	if over || gate.Waiting() != 1 {
		f.Fatalf("over %v, %v; %d requests wait", over, err, gate.Waiting())
	}
	return gate, func(why error) { scope.Cancel(why) }, func() (*block.Node, error) {
		f.Helper()
		f.settle()
		if !over {
			f.Fatal("it waits on")
		}
		return n, err
	}
}

// A section that begins while a node is being opened is one for that node too.
func TestOpeningYields(t *testing.T) {
	f := newFixture(t)
	gate, _, opened := f.opening()
	drained := false
	f.spawn(func(co *coro.Co) { f.must(f.g.DrainedAllBegin(co)); drained = true })
	f.settle()
	if drained {
		t.Error("a section did not wait for what is read")
	}
	gate.Release()
	n, err := opened()
	if err != nil || n.Length() != 1<<20 || !drained {
		t.Fatalf("%v, %v, drained %v", n, err, drained)
	}
	b, err := f.attach(f.g, n, "/d")
	if err != nil {
		t.Fatal(err)
	}
	written := false
	f.spawn(func(co *coro.Co) { f.must(b.WriteAt(co, []byte{1}, 0)); written = true })
	f.settle()
	if written || b.Parked() != 1 {
		t.Errorf("written %v, %d parked", written, b.Parked())
	}
	f.g.UnquiesceAll()
	f.settle()
	if !written {
		t.Error("not written after the section")
	}
	b.Close()
	f.must(f.delete("q"))
}

// The name may be taken meanwhile.
func TestOpeningLosesItsName(t *testing.T) {
	f := newFixture(t)
	gate, _, opened := f.opening()
	f.add(block.Options{Driver: "memory", NodeName: "q", Size: 512})
	gate.Release()
	if _, err := opened(); err == nil || err.Error() != "Duplicate nodes with node-name='q'" {
		t.Errorf("%v", err)
	}
	f.must(f.delete("slow"))
}

func TestOpeningGivenUp(t *testing.T) {
	f := newFixture(t)
	gate, cancel, opened := f.opening()
	why := errors.New("given up")
	cancel(why)
	if _, err := opened(); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
	if err := f.delete("slow"); f.g.Lookup("q") != nil || err == nil || err.Error() != "Node slow is in use" {
		t.Errorf("q is %v; %v", f.g.Lookup("q"), err)
	}
	gate.Release()
	f.settle()
	f.must(f.delete("slow"))
	f.must(f.delete("file"))
}
