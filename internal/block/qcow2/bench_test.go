package qcow2

import (
	"testing"

	"github.com/backplane-vm/backplane/coro"
)

// BenchmarkRequest is what the format adds to requests of 4 KiB on a file in
// memory: in places that the disk has, and that it has not.
func BenchmarkRequest(b *testing.B) {
	const size, n = 64 << 20, 4096
	p := make([]byte, n)
	for _, bench := range []struct {
		name string
		f    func(co *coro.Co, im *Image, off int64) error
	}{
		{"read", func(co *coro.Co, im *Image, off int64) error { return im.ReadAt(co, p, off) }},
		{"write", func(co *coro.Co, im *Image, off int64) error { return im.WriteAt(co, p, off) }},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(n)
			run(func(co *coro.Co) {
				m := &memory{left: -1}
				if err := Create(co, m, size); err != nil {
					b.Error(err)
					return
				}
				im, err := Open(co, m, Options{})
				for off := int64(0); err == nil && off < size; off += 1 << 16 {
					err = im.WriteAt(co, p, off)
				}
				at := int64(0)
				b.ResetTimer()
				for range b.N {
					if err == nil {
						err = bench.f(co, im, at)
					}
					at = (at + 37<<16) % size
				}
				if err != nil {
					b.Error(err)
				}
			})
		})
	}
}
