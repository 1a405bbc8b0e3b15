package qdev

import (
	"fmt"
	"testing"
)

// BenchmarkAdd adds and removes one device on a machine that has as many as
// its name says, each behind a port of its own.
func BenchmarkAdd(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("devices=%d", n), func(b *testing.B) {
			r := newRig(b, n+1)
			for i := range n {
				r.add(b, "driver", "virtio-rng-pci", "id", fmt.Sprint("d", i), "bus", fmt.Sprint("rp", i))
			}
			args := dict("driver", "virtio-rng-pci", "id", "x", "bus", fmt.Sprint("rp", n), "max-bytes", int64(1024))
			b.ReportAllocs()
			for b.Loop() {
				d, err := r.Add(args, JSON)
				if err != nil {
					b.Fatal(err)
				}
				r.Remove(d)
				r.grace()
				r.events = r.events[:0]
			}
		})
	}
}

// BenchmarkRegistry is what a machine pays at start for reading the tags.
func BenchmarkRegistry(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		testRegistry(b)
	}
}
