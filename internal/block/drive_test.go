package block_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
)

// drive adds a drive with a medium.
func (f *fixture) drive(id string, medium block.Options) *block.Backend {
	f.Helper()
	b, err := f.g.AddDrive(nil, block.Drive{ID: id, Interface: "none", Medium: medium})
	if err != nil {
		f.Fatalf("AddDrive(%s): %v", id, err)
	}
	return b
}

// rawOn is a raw node on a file.
func rawOn(path string, readOnly bool) block.Options {
	return block.Options{Driver: "raw", ReadOnly: readOnly, File: &block.Options{Driver: "file", Filename: path}}
}

// A medium that is taken out is closed, another takes its place, and is opened
// as the first was.
func TestChangeOfMedia(t *testing.T) {
	f := newFixture(t)
	a, b := f.image(512), f.image(1024)
	d := f.drive("d", rawOn(a, true))
	if d.Sectors() != 1 || !d.ReadOnly() || len(f.g.Nodes()) != 2 {
		t.Errorf("%d sectors, read-only %v, %d nodes", d.Sectors(), d.ReadOnly(), len(f.g.Nodes()))
	}
	f.do(func(co *coro.Co) { f.must(d.Eject(co)); f.must(d.Eject(co)) })
	if d.Inserted() || d.Sectors() != 0 || len(f.g.Nodes()) != 0 || !d.Retained().ReadOnly {
		t.Errorf("ejected: %d sectors, %d nodes, %+v", d.Sectors(), len(f.g.Nodes()), d.Retained())
	}
	f.do(func(co *coro.Co) {
		if err := d.ReadAt(co, make([]byte, 512), 0); !errors.Is(err, syscall.ENOMEDIUM) {
			t.Errorf("read of nothing: %v", err)
		}
		if err := d.Flush(co); !errors.Is(err, syscall.ENOMEDIUM) {
			t.Errorf("flush of nothing: %v", err)
		}
	})
	for _, path := range []string{b, a} { // into the empty drive and the full
		n, err := f.g.Open(nil, rawOn(path, d.Retained().ReadOnly))
		if err != nil {
			t.Fatal(err)
		}
		f.do(func(co *coro.Co) { f.must(d.Change(co, n)) })
		n.Discard()
		if d.Node() != n || len(f.g.Nodes()) != 2 || !d.ReadOnly() {
			t.Errorf("%s: read-only %v, %d nodes", path, d.ReadOnly(), len(f.g.Nodes()))
		}
	}
	f.do(func(co *coro.Co) { f.must(d.Forget(co)) })
	if f.g.Drive("d") != nil || len(f.g.Nodes())+len(f.g.Backends()) != 0 {
		t.Errorf("%d nodes, %d backends", len(f.g.Nodes()), len(f.g.Backends()))
	}
}

// A node of blockdev-add stays when it is no medium any more.
func TestMediumOfTheMonitor(t *testing.T) {
	f := newFixture(t)
	n := f.add(block.Options{Driver: "null-co", NodeName: "n"})
	d := f.drive("d", block.Options{})
	f.must(d.Insert(n))
	if err := f.delete("n"); err == nil || err.Error() != "Node n is in use" || !n.HasBackend() {
		t.Errorf("%v", err)
	}
	f.do(func(co *coro.Co) { f.must(d.Eject(co)) })
	if f.g.Lookup("n") != n || n.HasBackend() {
		t.Error("the node did not stay, or is a medium still")
	}
	f.must(f.delete("n"))
}

// What is in flight ends before the medium goes, and what came meanwhile fails.
func TestForgetUnderADevice(t *testing.T) {
	f := newFixture(t)
	gate := new(block.Gate)
	d := f.drive("d", block.Options{Driver: "slow", Gate: gate, File: &block.Options{Driver: "memory", Size: 1024}})
	f.must(d.Occupy("/d"))
	f.must(d.Claim(false, false))
	d.SetErrorPolicies("stop", "stop")
	d.SetDevice(new(struct{}))
	gate.Hold()
	var results []error
	write := func(co *coro.Co) {
		results = append(results, d.WriteAt(co, make([]byte, 512), 0))
	}
	f.ctx.Spawn("in time", write)
	forgot := false
	f.ctx.Spawn("drive_del", func(co *coro.Co) { f.must(d.Forget(co)); forgot = true })
	f.ctx.Spawn("late", write)
	f.ctx.WaitWhile(func() bool { return d.Parked() == 0 })
	if forgot || !d.Inserted() || d.InFlight() != 1 {
		t.Errorf("forgot %v, inserted %v, %d in flight", forgot, d.Inserted(), d.InFlight())
	}
	gate.Release()
	f.ctx.WaitWhile(func() bool { return len(results) < 2 || !forgot })
	if results[0] != nil || !errors.Is(results[1], syscall.ENOMEDIUM) {
		t.Errorf("%v", results)
	}
	if f.g.Drive("d") != nil || d.Name() != "" || d.IOStatus() != "" || len(f.g.Nodes()) != 0 {
		t.Errorf("name %q, status %q, %d nodes", d.Name(), d.IOStatus(), len(f.g.Nodes()))
	}
	if _, err := f.g.AddDrive(nil, block.Drive{ID: "d"}); err == nil || err.Error() != "Duplicate ID 'd' for drive" {
		t.Errorf("while the device is there: %v", err)
	}
	d.Close()
	f.drive("d", block.Options{})
}

// A device that was takes its drive along; one that never came to be does not.
func TestDriveOfADevice(t *testing.T) {
	f := newFixture(t)
	d := f.drive("d", block.Options{Driver: "null-co"})
	f.must(d.Occupy("/a"))
	if err := d.Occupy("/b"); err == nil || err.Error() != "Drive 'd' is already in use by another device" {
		t.Errorf("%v", err)
	}
	f.must(d.Claim(false, false))
	d.Close()
	if e, ok := d.Edge(); f.g.Drive("d") != d || d.Path() != "" || !ok || e.Need != 0 || e.Share != block.AllPerms {
		t.Errorf("given back: %q, %+v", d.Path(), e)
	}
	f.must(d.Occupy("/b"))
	d.SetDevice(new(struct{}))
	d.Close()
	if f.g.Drive("d") != nil || len(f.g.Nodes())+len(f.g.Backends()) != 0 {
		t.Errorf("%d nodes, %d backends", len(f.g.Nodes()), len(f.g.Backends()))
	}
	b, err := f.g.AddDrive(nil, block.Drive{ID: "v", Interface: "virtio"})
	f.must(err)
	f.must(b.Occupy("/v"))
	const want = "Drive 'v' is already in use because it has been automatically connected to another device (did you need 'if=none' in the drive options?)"
	if err := b.Occupy("/w"); err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

// A drive that cannot be made leaves nothing, not even its id.
func TestDriveThatFails(t *testing.T) {
	f := newFixture(t)
	for _, x := range []struct{ id, want string }{
		{"d", "Could not open '/nonesuch/d': No such file or directory"},
		{"d", "Could not open '/nonesuch/d': No such file or directory"},
		{"1a", "Parameter 'id' expects an identifier"},
	} {
		if _, err := f.g.AddDrive(nil, block.Drive{ID: x.id, Medium: rawOn("/nonesuch/d", false)}); err == nil || err.Error() != x.want {
			t.Errorf("%s: %v", x.id, err)
		}
	}
	d := f.drive("d", rawOn(f.image(512), false))
	if !f.g.HasDriveAt("none", 0, 0) || f.g.HasDriveAt("none", 0, 1) {
		t.Error("the drive is not at its place")
	}
	d.Abandon()
	if len(f.g.Nodes())+len(f.g.Backends()) != 0 || f.g.Drive("d") != nil {
		t.Error("an abandoned drive is there")
	}
}

// A resize that borrows a medium while it is taken out ends with the node.
func TestEjectDuringResize(t *testing.T) {
	f := newFixture(t)
	gate := new(block.Gate)
	path := filepath.Join(t.TempDir(), "r")
	if err := os.WriteFile(path, make([]byte, 512), 0o600); err != nil {
		t.Fatal(err)
	}
	d := f.drive("d", block.Options{Driver: "slow", Gate: gate, File: &block.Options{Driver: "file", Filename: path}})
	gate.Hold()
	var done int
	f.ctx.Spawn("resize", func(co *coro.Co) { f.must(f.g.Resize(co, "d", "", 1024)); done++ })
	f.ctx.WaitWhile(func() bool { return d.Node().InFlight() == 0 })
	f.ctx.Spawn("eject", func(co *coro.Co) { f.must(d.Eject(co)); done++ })
	gate.Release()
	f.ctx.WaitWhile(func() bool { return done < 2 })
	if len(f.g.Nodes()) != 0 {
		t.Errorf("%d nodes are left", len(f.g.Nodes()))
	}
	if err := func() (err error) {
		f.do(func(co *coro.Co) { err = f.g.Resize(co, "d", "", 512) })
		return err
	}(); err == nil || err.Error() != "Device 'd' has no medium" {
		t.Errorf("%v", err)
	}
}
