package qcow2

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/qemutest"
)

// A history is what became of an image: its content at the last flush that
// returned, and what may have changed since.
type history struct {
	synced  []byte
	touched []bool // the bytes that were written since
	resized bool
}

func (h *history) sync(model []byte) {
	*h = history{synced: append([]byte{}, model...), touched: make([]bool, len(model))}
}

// workload writes, flushes and resizes as long as the file lets it.
func workload(im *Image, seed uint64) (h history) {
	rnd := rand.New(rand.NewPCG(seed, 4))
	model := make([]byte, im.Length())
	h.sync(model)
	run(func(co *coro.Co) {
		for step := range 14 {
			at := rnd.IntN(len(model))
			p := make([]byte, min(len(model)-at, 1+rnd.IntN(20_000)))
			fill(p, rnd)
			for i := range p {
				if !h.resized {
					h.touched[at+i] = true
				}
			}
			if im.WriteAt(co, p, int64(at)) != nil {
				return
			}
			copy(model[at:], p)
			if step%4 == 3 {
				h.resized = true
				size := 512 * (1 + rnd.IntN(2000))
				if im.Truncate(co, int64(size)) != nil {
					return
				}
				model = append(model[:min(size, len(model))], make([]byte, max(0, size-len(model)))...)
			}
			if step%4 >= 2 {
				if im.Flush(co) != nil {
					return
				}
				h.sync(model)
			}
		}
	})
	return h
}

// However many writes reach the file, and whichever of those since its last
// flush: it is an image without damage, and has what the last flush of the
// image promised. That it leaks is allowed.
func TestCutOffAnywhere(t *testing.T) {
	qemutest.Need(t, "qemu-img", "qemu-io")
	for i, options := range []string{"cluster_size=512,refcount_bits=64", "cluster_size=4096", "cluster_size=64k,compat=0.10"} {
		t.Run(options, func(t *testing.T) {
			t.Parallel()
			empty := create(t, options, 512<<10).data
			whole := &memory{data: append([]byte{}, empty...), left: -1}
			workload(open(t, whole, Options{}), uint64(i))
			path := filepath.Join(t.TempDir(), "cut.qcow2")
			for n := range whole.ops + 1 {
				m := &memory{data: append([]byte{}, empty...), durable: append([]byte{}, empty...), record: true, left: n}
				h := workload(open(t, m, Options{}), uint64(i))
				rnd := rand.New(rand.NewPCG(uint64(n), 5))
				for what, data := range map[string][]byte{"all written": m.data, "some lost": m.cut(rnd)} {
					when := fmt.Sprintf("after %d of %d, %s", n, whole.ops, what)
					h.keeps(t, data, when)
					if n%crashStride == 0 {
						sound(t, path, data, when)
					}
				}
			}
		})
	}
}

// crashStride is how many cuts there are to one that qemu-img checks: it takes
// some 10 ms each.
const crashStride = 8

// keeps checks that an image has what was flushed and not written since.
func (h *history) keeps(t *testing.T, data []byte, when string) {
	t.Helper()
	im := open(t, &memory{data: data, left: 0}, Options{ReadOnly: true})
	if h.resized {
		return // to the old size or the new
	}
	got := make([]byte, len(h.synced))
	run(func(co *coro.Co) {
		if err := im.ReadAt(co, got, 0); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
	})
	for at := 0; at < len(got); at += 512 {
		if bytes.Equal(got[at:at+512], h.synced[at:at+512]) {
			continue
		}
		for i := at; i < at+512; i++ {
			if got[i] != h.synced[i] && !h.touched[i] {
				t.Fatalf("%s: byte %d is %d, want %d", when, i, got[i], h.synced[i])
			}
		}
	}
}

// sound checks that an image has no errors but leaks.
func sound(t *testing.T, path string, data []byte, when string) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := qemutest.Run(t, "qemu-img", "check", "-f", "qcow2", path); code != 0 && code != 3 { // 3: leaks
		t.Fatalf("%s: qemu-img check: %d\n%s", when, code, out)
	}
}
