package qcow2

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/qemutest"
)

// variants are images of all kinds that we have.
var variants = []string{
	"compat=0.10", "compat=1.1", "compat=1.1,lazy_refcounts=on",
	"cluster_size=512", "cluster_size=4096", "cluster_size=2M",
	"refcount_bits=1", "refcount_bits=2", "refcount_bits=4", "refcount_bits=8", "refcount_bits=32", "refcount_bits=64",
	"cluster_size=512,refcount_bits=64", "preallocation=metadata", "preallocation=full,cluster_size=4096",
}

// create makes an image and returns its bytes.
func create(t testing.TB, options string, size int64) *memory {
	t.Helper()
	path := filepath.Join(t.TempDir(), "new.qcow2")
	if out, code := qemutest.Run(t, "qemu-img", "create", "-q", "-f", "qcow2", "-o", options, path, fmt.Sprint(size)); code != 0 {
		t.Fatal(out)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return &memory{data: data, left: -1}
}

func open(t testing.TB, f File, o Options) (im *Image) {
	t.Helper()
	run(func(co *coro.Co) {
		var err error
		if im, err = Open(co, f, o); err != nil {
			t.Fatal(err)
		}
	})
	return im
}

// same checks an image with qemu-img, and that it holds want.
func same(t testing.TB, image, want []byte) {
	t.Helper()
	dir := t.TempDir()
	a, b := filepath.Join(dir, "image.qcow2"), filepath.Join(dir, "want.raw")
	for path, data := range map[string][]byte{a: image, b: want} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, code := qemutest.Run(t, "qemu-img", "check", "-f", "qcow2", a); code != 0 {
		t.Fatalf("qemu-img check: %d\n%s", code, out)
	}
	if out, code := qemutest.Run(t, "qemu-img", "compare", "-f", "qcow2", "-F", "raw", a, b); code != 0 {
		t.Fatalf("qemu-img compare: %d\n%s", code, out)
	}
}

// scatter fills parts of p.
func scatter(p []byte, rnd *rand.Rand) {
	for range 12 {
		at := rnd.IntN(len(p))
		fill(p[at:min(len(p), at+rnd.IntN(200_000))], rnd)
	}
}

// fill makes p random.
func fill(p []byte, rnd *rand.Rand) {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(rnd.Uint32())
	}
	_, _ = rand.NewChaCha8(seed).Read(p) // never fails
}

func TestReadsWhatQEMUWrote(t *testing.T) {
	qemutest.Need(t, "qemu-img", "qemu-io")
	for i, options := range variants {
		t.Run(options, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(uint64(i), 1))
			want := make([]byte, 5<<20+512)
			scatter(want, rnd)
			dir := t.TempDir()
			raw, image := filepath.Join(dir, "raw"), filepath.Join(dir, "image")
			if err := os.WriteFile(raw, want, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, code := qemutest.Run(t, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", options, raw, image); code != 0 {
				t.Fatal(out)
			}
			if !strings.Contains(options, "0.10") { // clusters that are said to be zero, with a place and without
				if out, code := qemutest.Run(t, "qemu-io", "-f", "qcow2", "-c", "write -z 1M 300k", "-c", "write -z -u 4M 300k", "-c", "discard 2M 2M", image); code != 0 {
					t.Fatal(out)
				}
				clear(want[1<<20 : 1<<20+300<<10])
				clear(want[4<<20 : 4<<20+300<<10])
				clear(want[2<<20 : 4<<20])
			}
			data, err := os.ReadFile(image)
			if err != nil {
				t.Fatal(err)
			}
			im := open(t, &memory{data: data, left: 0}, Options{ReadOnly: true})
			if im.Length() != int64(len(want)) {
				t.Fatalf("length %d, want %d", im.Length(), len(want))
			}
			readLike(t, im, want, rnd)
			// And written on, in places that were zeroes as well.
			m := &memory{data: data, left: -1}
			im = open(t, m, Options{})
			writeRandomly(t, im, want, rnd, 30)
			flush(t, im)
			same(t, m.data, want)
		})
	}
}

func readLike(t testing.TB, im *Image, want []byte, rnd *rand.Rand) {
	t.Helper()
	got := make([]byte, len(want))
	run(func(co *coro.Co) {
		if err := im.ReadAt(co, got, 0); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatal("read as a whole: not what was written")
		}
		for range 100 {
			at := rnd.IntN(len(want))
			p := got[:rnd.IntN(min(100_000, len(want)-at))+1]
			if err := im.ReadAt(co, p, int64(at)); err != nil || !bytes.Equal(p, want[at:at+len(p)]) {
				t.Fatalf("%d bytes at %d: %v, or not what was written", len(p), at, err)
			}
		}
	})
}

// writeRandomly writes to im and to its model.
func writeRandomly(t testing.TB, im *Image, model []byte, rnd *rand.Rand, n int) {
	t.Helper()
	run(func(co *coro.Co) {
		for range n {
			at := rnd.IntN(len(model))
			p := make([]byte, min(len(model)-at, 1+rnd.IntN(1<<(1+rnd.IntN(18)))))
			fill(p, rnd)
			if err := im.WriteAt(co, p, int64(at)); err != nil {
				t.Fatal(err)
			}
			copy(model[at:], p)
		}
	})
}

func flush(t testing.TB, im *Image) {
	t.Helper()
	run(func(co *coro.Co) {
		if err := im.Flush(co); err != nil {
			t.Fatal(err)
		}
	})
}

func truncate(t testing.TB, im *Image, model []byte, size int) []byte {
	t.Helper()
	run(func(co *coro.Co) {
		if err := im.Truncate(co, int64(size)); err != nil {
			t.Fatal(err)
		}
	})
	if im.Length() != int64(size) {
		t.Fatalf("length %d, want %d", im.Length(), size)
	}
	if size < len(model) {
		return model[:size:size]
	}
	return append(model, make([]byte, size-len(model))...)
}

// What we write QEMU reads, with nothing counted wrongly, also after resizes.
func TestQEMUReadsWhatWeWrite(t *testing.T) {
	qemutest.Need(t, "qemu-img", "qemu-io")
	for i, options := range variants {
		t.Run(options, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(uint64(i), 2))
			model := make([]byte, 1<<20)
			m := create(t, options, int64(len(model)))
			im := open(t, m, Options{})
			for range 2 {
				writeRandomly(t, im, model, rnd, 20)
				flush(t, im)
				model = truncate(t, im, model, 512*(1+rnd.IntN(8<<11)))
				readLike(t, im, model, rnd)
				same(t, m.data, model)
			}
			im = open(t, m, Options{}) // as another process would
			readLike(t, im, model, rnd)
			writeRandomly(t, im, model, rnd, 10)
			flush(t, im)
			model = truncate(t, im, model, 512)
			same(t, m.data, model)
			run(func(co *coro.Co) {
				if n, err := im.count(co, (m.Length()-1)>>im.h.clusterBits); n == 0 || err != nil {
					t.Errorf("the last cluster of the file is used %d times, %v", n, err)
				}
			})
		})
	}
}

// The table of counts and the L1 table move when they are full.
func TestTablesGrow(t *testing.T) {
	qemutest.Need(t, "qemu-img", "qemu-io")
	const size = 12 << 20
	for _, options := range []string{"cluster_size=512", "cluster_size=512,refcount_bits=64", "cluster_size=1024,refcount_bits=32"} {
		rnd := rand.New(rand.NewPCG(1, 3))
		m := create(t, options, 512)
		im := open(t, m, Options{})
		table, l1 := im.h.reftableOffset, im.h.l1Offset
		model := truncate(t, im, make([]byte, 512), size)
		run(func(co *coro.Co) {
			for at := 0; at < size; at += 1 << 20 {
				p := model[at : at+300<<10+rnd.IntN(100)]
				fill(p, rnd)
				if err := im.WriteAt(co, p, int64(at)); err != nil {
					t.Fatal(err)
				}
			}
		})
		flush(t, im)
		if im.h.l1Offset == l1 || im.h.reftableOffset == table && options == "cluster_size=512,refcount_bits=64" {
			t.Errorf("%s: L1 table at %#x, counts at %#x: not moved", options, im.h.l1Offset, im.h.reftableOffset)
		}
		same(t, m.data, model)
		model = truncate(t, im, model, 1<<20)
		same(t, m.data, model)
	}
}

func TestCreate(t *testing.T) {
	qemutest.Need(t, "qemu-img", "qemu-io")
	for _, size := range []int64{0, 512, 1 << 20, 1 << 40} {
		m := &memory{left: -1}
		run(func(co *coro.Co) {
			if err := Create(co, m, size); err != nil {
				t.Fatal(err)
			}
		})
		if im := open(t, m, Options{}); im.Length() != size {
			t.Errorf("length %d, want %d", im.Length(), size)
		}
		path := filepath.Join(t.TempDir(), "new.qcow2")
		if err := os.WriteFile(path, m.data, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, code := qemutest.Run(t, "qemu-img", "check", "-f", "qcow2", path); code != 0 {
			t.Errorf("%d: %s", size, out)
		}
	}
	for _, size := range []int64{-512, 100, 1 << 62} {
		run(func(co *coro.Co) {
			if err := Create(co, &memory{left: 0}, size); err == nil || errors.Is(err, errCut) {
				t.Errorf("%d: %v", size, err)
			}
		})
	}
}
