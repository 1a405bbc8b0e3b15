package block_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/qemutest"
)

func qcow2Image(t *testing.T, size string) string {
	path := filepath.Join(t.TempDir(), "disk.qcow2")
	qemutest.Img(t, "create", "-q", "-f", "qcow2", path, size)
	return path
}

func qcow2Options(path string) block.Options {
	return block.Options{Driver: "qcow2", NodeName: "q", File: &block.Options{Driver: "file", NodeName: "f", Filename: path}}
}

// Many writers at once, in clusters that they share, with drained sections and
// resizes between: what they wrote is there, and QEMU finds nothing wrong.
func TestQcow2UnderLoad(t *testing.T) {
	for _, noFlush := range []bool{false, true} {
		f := newFixture(t)
		path := qcow2Image(t, "4M")
		o := qcow2Options(path)
		o.NoFlush = noFlush
		n := f.add(o)
		b, err := f.attach(f.g, n, "/d")
		if err != nil {
			t.Fatal(err)
		}
		const stripe = 5000 // of every writer, so that clusters are shared
		want := make([]byte, 8<<20)
		writers := 0
		for i := range 16 {
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			f.ctx.Spawn("writer", func(co *coro.Co) {
				for range 20 {
					at := 16*stripe*rnd.IntN(4<<20/(16*stripe)) + i*stripe
					p := want[at : at+1+rnd.IntN(stripe)]
					for k := 0; k < len(p); k += 7 {
						p[k] = byte(rnd.Uint32())
					}
					if err := b.WriteAt(co, p, int64(at)); err != nil {
						t.Error(err)
					}
				}
				writers++
			})
		}
		f.ctx.Spawn("block_resize", func(co *coro.Co) {
			for _, size := range []int64{5 << 20, 8 << 20} {
				if err := f.g.Resize(co, "", "q", size); err != nil {
					t.Error(err)
				}
			}
			if err := b.Flush(co); err != nil {
				t.Error(err)
			}
		})
		f.ctx.WaitWhile(func() bool { return f.ctx.Coroutines() > 0 })
		got := make([]byte, len(want))
		f.do(func(co *coro.Co) {
			if err := b.ReadAt(co, got, 0); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v, or not what was written", err)
			}
		})
		b.Close()
		if err := f.delete("q"); err != nil || writers != 16 {
			t.Errorf("%v; %d writers", err, writers)
		}
		raw := filepath.Join(t.TempDir(), "want.raw")
		if err := os.WriteFile(raw, want, 0o600); err != nil {
			t.Fatal(err)
		}
		qemutest.Img(t, "check", "-q", "-f", "qcow2", path)
		qemutest.Img(t, "compare", "-q", "-f", "qcow2", "-F", "raw", path, raw)
	}
}

func TestQcow2HasItsFileToItself(t *testing.T) {
	f := newFixture(t)
	path := qcow2Image(t, "1M")
	n := f.add(qcow2Options(path))
	f.do(func(co *coro.Co) {
		err := f.g.Resize(co, "", "f", 4096)
		if want := "Permission conflict on node 'f': permissions 'resize' are both required by an unnamed block device (uses node 'f' as 'root' child) and unshared by node 'q' (uses node 'f' as 'file' child)."; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if err := f.g.Resize(co, "", "q", 1000); err == nil || err.Error() != "The new size must be a multiple of 512" {
			t.Error(err)
		}
	})
	if info, ok := n.Qcow2(); !ok || info.Version != 3 || info.ClusterSize != 65536 || info.RefcountBits != 16 {
		t.Errorf("%+v, %v", info, ok)
	}
	if err := f.delete("q"); err != nil {
		t.Fatal(err)
	}
	o := qcow2Options(path)
	o.ReadOnly = true
	f.add(o)
	f.do(func(co *coro.Co) {
		if err := f.g.Resize(co, "", "q", 4096); err == nil || err.Error() != "Image is read-only" {
			t.Error(err)
		}
	})
	qemutest.Img(t, "info", path) // others may read it
}

// A node that cannot be opened leaves nothing: no node, no lock.
func TestQcow2RefusedLeavesNothing(t *testing.T) {
	f := newFixture(t)
	path := qcow2Image(t, "1M")
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	backed := filepath.Join(t.TempDir(), "backed.qcow2")
	qemutest.Img(t, "create", "-q", "-f", "qcow2", "-b", path, "-F", "qcow2", backed)
	broken := filepath.Join(t.TempDir(), "broken.qcow2")
	image[7] = 9
	if err := os.WriteFile(broken, image, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{broken: "Unsupported qcow2 version 9", backed: "Backing files are not supported by this build"} {
		if _, err := f.g.Add(nil, qcow2Options(path)); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		if len(f.g.Nodes()) != 0 {
			t.Errorf("%d nodes left", len(f.g.Nodes()))
		}
	}
	o := qcow2Options(backed)
	o.NoBacking = true
	f.add(o)
	if err := f.delete("q"); err != nil {
		t.Error(err)
	}
	if _, err := f.g.Add(nil, block.Options{Driver: "qcow2", NodeName: "q"}); err == nil || !strings.Contains(err.Error(), "must be specified for \"file\"") {
		t.Error(err)
	}
}

// An image that cannot be cut, on a file of fixed size, shrinks all the same.
func TestQcow2OnFixedSize(t *testing.T) {
	f := newFixture(t)
	f.do(func(co *coro.Co) {
		base := f.add(block.Options{Driver: "memory", NodeName: "base"})
		if err := base.FormatQcow2(co, 1<<20); err != nil {
			t.Error(err)
		}
		if err := base.Truncate(co, 4<<20); err != nil {
			t.Error(err)
		}
	})
	n := f.add(block.Options{Driver: "qcow2", NodeName: "q", File: &block.Options{Driver: "raw", Size: 4 << 20, FileRef: "base"}})
	b, err := f.attach(f.g, n, "/d")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	dev := new(device)
	b.SetDevice(dev)
	f.do(func(co *coro.Co) {
		if err := b.WriteAt(co, []byte("x"), 1<<20-1); err != nil {
			t.Error(err)
		}
		if err := f.g.Resize(co, "", "q", 512); err != nil {
			t.Error(err)
		}
		if err := b.WriteAt(co, []byte("x"), 512); err == nil {
			t.Error("written past the end")
		}
	})
	if b.Sectors() != 1 || dev.resized != 1 {
		t.Errorf("%d sectors; the device was told %d times", b.Sectors(), dev.resized)
	}
}
