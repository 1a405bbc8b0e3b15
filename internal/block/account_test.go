package block_test

import (
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
)

func TestStats(t *testing.T) {
	f := newFixture(t)
	b, _, _ := f.gated()
	defer b.Close()
	if _, ok := b.IdleNS(); ok || b.Stats() != (block.Stats{}) {
		t.Errorf("before the first request: %+v", b.Stats())
	}
	f.spawn(func(co *coro.Co) {
		for _, err := range []error{
			b.WriteAt(co, make([]byte, 1000), 24), b.WriteAt(co, make([]byte, 10), 0), b.ReadAt(co, make([]byte, 512), 0), b.Flush(co),
		} {
			if err != nil {
				t.Error(err)
			}
		}
		if b.ReadAt(co, make([]byte, 1), 1<<20) == nil || b.WriteAt(co, make([]byte, 2), 1<<20-1) == nil {
			t.Error("requests past the end")
		}
	})
	b.CountInvalid(true)
	s := b.Stats()
	s.Reads.TimeNS, s.Writes.TimeNS, s.Flushes.TimeNS = 0, 0, 0
	for _, x := range []struct {
		what      string
		got, want block.Tally
	}{
		{"reads", s.Reads, block.Tally{Bytes: 512, Operations: 1, Failed: 1}},
		{"writes", s.Writes, block.Tally{Bytes: 1010, Operations: 2, Failed: 1, Invalid: 1}},
		{"flushes", s.Flushes, block.Tally{Operations: 1}},
	} {
		if x.got != x.want {
			t.Errorf("%s: %+v, want %+v", x.what, x.got, x.want)
		}
	}
	if _, ok := b.IdleNS(); !ok {
		t.Error("idle for ever")
	}
	if n := b.Node(); n.HighestWrite() != 1024 || n.File().HighestWrite() != 1024 {
		t.Errorf("the furthest write: %d, below %d", n.HighestWrite(), n.File().HighestWrite())
	}
}
