package block_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/sched"
)

type fixture struct {
	*testing.T
	ctx *aio.Context
	g   *block.Graph
}

func newFixture(t *testing.T) *fixture {
	w := sched.NewWorld()
	pool := aio.NewPool(w, 4)
	ctx := aio.NewContext(w, "main", nil)
	f := &fixture{t, ctx, block.NewGraph(ctx, pool, aio.NewClock(w, true))}
	t.Cleanup(func() {
		f.g.Close()
		pool.Close()
		if live := w.Live(); len(live) > 0 {
			t.Errorf("threads left: %v", live)
		}
	})
	return f
}

// do runs fn as a coroutine and waits for it.
func (f *fixture) do(fn func(co *coro.Co)) {
	done := false
	f.ctx.Spawn("test", func(co *coro.Co) { fn(co); done = true })
	f.ctx.WaitWhile(func() bool { return !done })
}

// delete is blockdev-del.
func (f *fixture) delete(name string) (err error) {
	f.do(func(co *coro.Co) { err = f.g.Delete(co, name) })
	return err
}

func (f *fixture) must(err error) {
	if err != nil {
		f.Error(err)
	}
}

func (f *fixture) add(o block.Options) *block.Node {
	f.Helper()
	n, err := f.g.Add(nil, o)
	if err != nil {
		f.Fatalf("Add(%+v): %v", o, err)
	}
	return n
}

// attach makes a backend that writes.
func (f *fixture) attach(g *block.Graph, n *block.Node, path string) (*block.Backend, error) {
	b, err := g.Attach(n, path)
	if err != nil {
		return nil, err
	}
	if err := b.Claim(false, false); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

func (f *fixture) image(size int) string {
	path := filepath.Join(f.TempDir(), "disk.img")
	if err := os.WriteFile(path, bytes.Repeat([]byte{0xa5}, size), 0o600); err != nil {
		f.Fatal(err)
	}
	return path
}

func TestReadWriteThroughRawAndFile(t *testing.T) {
	f := newFixture(t)
	path := f.image(1000) // not a whole number of sectors
	n := f.add(block.Options{Driver: "raw", NodeName: "d0", File: &block.Options{Driver: "file", Filename: path}})
	if got := n.Length(); got != 1024 {
		t.Errorf("length %d, want 1024", got)
	}
	b, err := f.attach(f.g, n, "/machine/peripheral/a/virtio-backend")
	if err != nil {
		t.Fatal(err)
	}
	if b.Sectors() != 2 {
		t.Errorf("%d sectors, want 2", b.Sectors())
	}
	f.do(func(co *coro.Co) {
		buf := make([]byte, 512)
		if err := b.ReadAt(co, buf, 512); err != nil {
			t.Error(err)
		}
		if want := append(bytes.Repeat([]byte{0xa5}, 488), make([]byte, 24)...); !bytes.Equal(buf, want) {
			t.Error("the tail past the end of the file is not zeroes")
		}
		if err := b.WriteAt(co, []byte("hello"), 3); err != nil {
			t.Error(err)
		}
		if err := b.Flush(co); err != nil {
			t.Error(err)
		}
		for _, off := range []int64{-1, 1024, 1000} {
			if err := b.ReadAt(co, buf, off); !errors.Is(err, syscall.EIO) {
				t.Errorf("read at %d: %v, want EIO", off, err)
			}
		}
	})
	if got, _ := os.ReadFile(path); string(got[3:8]) != "hello" {
		t.Errorf("file has %q", got[3:8])
	}
	if n.InFlight() != 0 {
		t.Errorf("%d in flight", n.InFlight())
	}
	b.Close()
	b.Close()
}

func TestErrorsAndNothingLeft(t *testing.T) {
	f := newFixture(t)
	path := f.image(4096)
	f.add(block.Options{Driver: "null-co", NodeName: "n0"})
	for _, c := range []struct {
		o    block.Options
		want string
	}{
		{block.Options{Driver: "null-co"}, "'node-name' must be specified for the root node"},
		{block.Options{Driver: "null-co", NodeName: "n0"}, "Duplicate nodes with node-name='n0'"},
		{block.Options{Driver: "null-co", NodeName: "1x"}, "Invalid node-name: '1x'"},
		{block.Options{Driver: "null-co", NodeName: strings.Repeat("a", 32)}, "Node name too long"},
		{block.Options{Driver: "file", NodeName: "x", Filename: "/nonesuch/x"}, "Could not open '/nonesuch/x': No such file or directory"},
		{block.Options{Driver: "file", NodeName: "x", Filename: f.TempDir()}, "Could not open '"},
		{block.Options{Driver: "file", NodeName: "x", Filename: "/dev/null"}, "'file' driver requires '/dev/null' to be a regular file"},
		{block.Options{Driver: "raw", NodeName: "x", FileRef: "nope"}, "Cannot find device='nope' nor node-name='nope'"},
		{block.Options{Driver: "raw", NodeName: "x"}, `A block device must be specified for "file"`},
		{block.Options{Driver: "raw", NodeName: "x", Offset: 9999, File: &block.Options{Driver: "file", Filename: path}},
			"Offset (9999) cannot be greater than size of the containing file (4096)"},
		{block.Options{Driver: "raw", NodeName: "x", Size: 8192, File: &block.Options{Driver: "file", Filename: path}},
			"The sum of offset (0) and size (8192)"},
		{block.Options{Driver: "qcow9", NodeName: "x"}, "Parameter 'driver' does not accept value 'qcow9'"},
	} {
		if _, err := f.g.Add(nil, c.o); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("Add(%+v): %v, want %q", c.o, err, c.want)
		}
	}
	if n := f.g.Nodes(); len(n) != 1 {
		t.Errorf("%d nodes left, want 1", len(n))
	}
	for name, want := range map[string]string{
		"zz": "Failed to find node with node-name='zz'",
	} {
		if err := f.delete(name); err == nil || err.Error() != want {
			t.Errorf("Delete(%s): %v, want %q", name, err, want)
		}
	}
}

func TestPermissions(t *testing.T) {
	f := newFixture(t)
	n := f.add(block.Options{Driver: "null-co", NodeName: "n0"})
	a, err := f.attach(f.g, n, "/machine/peripheral/a/virtio-backend")
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.attach(f.g, n, "/machine/peripheral/b/virtio-backend")
	want := "Permission conflict on node 'n0': permissions 'write' are both required by block device " +
		"'/machine/peripheral/a/virtio-backend' (uses node 'n0' as 'root' child) and unshared by block device " +
		"'/machine/peripheral/b/virtio-backend' (uses node 'n0' as 'root' child)."
	if err == nil || err.Error() != want {
		t.Errorf("second writer: %v", err)
	}
	if err := f.delete("n0"); err == nil || err.Error() != "Node n0 is in use" {
		t.Errorf("delete in use: %v", err)
	}
	if got := f.g.Backends(); len(got) != 1 || got[0] != a {
		t.Errorf("backends %v", got)
	}
	a.Close()
	if err := f.delete("n0"); err != nil {
		t.Errorf("delete after close: %v", err)
	}
}

func TestReadOnly(t *testing.T) {
	f := newFixture(t)
	n := f.add(block.Options{Driver: "raw", NodeName: "r", ReadOnly: true, File: &block.Options{Driver: "file", Filename: f.image(512)}})
	b, err := f.attach(f.g, n, "/d")
	if err != nil {
		t.Fatal(err)
	}
	if !b.ReadOnly() {
		t.Error("backend of a read-only node may write")
	}
	f.do(func(co *coro.Co) {
		if err := b.WriteAt(co, []byte{1}, 0); !errors.Is(err, syscall.EPERM) {
			t.Errorf("write: %v, want EPERM", err)
		}
	})
	b.Close()
}

// Two machines over one image: the second is refused, and so is qemu-io, where
// it is installed.
func TestImageLocks(t *testing.T) {
	f, g := newFixture(t), newFixture(t)
	path := f.image(4096)
	o := block.Options{Driver: "raw", NodeName: "d", File: &block.Options{Driver: "file", Filename: path}}
	a, err := f.attach(f.g, f.add(o), "/a")
	if err != nil {
		t.Fatal(err)
	}
	other := g.add(o) // opening is allowed, using is not
	if _, err := f.attach(g.g, other, "/b"); err == nil || err.Error() != `Failed to get "write" lock` {
		t.Errorf("second machine: %v", err)
	}
	if qemuIO, err := exec.LookPath("qemu-io"); err == nil {
		out, _ := exec.Command(qemuIO, "-f", "raw", "-c", "write 0 512", path).CombinedOutput()
		if !strings.Contains(string(out), `Failed to get "write" lock`) {
			t.Errorf("qemu-io writes to a locked image: %s", out)
		}
	}
	a.Close()
	b, err := f.attach(g.g, other, "/b")
	if err != nil {
		t.Fatalf("after the first let go: %v", err)
	}
	b.Close()
}

func TestNullLatencyAndZeroes(t *testing.T) {
	f := newFixture(t)
	n := f.add(block.Options{Driver: "null-co", NodeName: "n", LatencyNS: 1000, ReadZeroes: true, Size: 1 << 20})
	b, err := f.attach(f.g, n, "/a")
	if err != nil {
		t.Fatal(err)
	}
	f.do(func(co *coro.Co) {
		buf := []byte{1, 2, 3}
		if err := b.ReadAt(co, buf, 0); err != nil || !bytes.Equal(buf, make([]byte, 3)) {
			t.Errorf("read %v, %v", buf, err)
		}
	})
	b.Close()
}
