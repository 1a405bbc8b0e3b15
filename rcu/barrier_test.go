package rcu_test

import (
	"flag"
	"sync/atomic"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/rcu"
)

// Without the barrier one section in 100,000 goes wrong, or a few: on two idle
// processors that is ten or more a second.
var litmusSections = flag.Uint64("rcu.litmus", 100_000, "sections that the store-buffer litmus enters")

const (
	// ballast is more memory than near caches hold, in words, and stride a
	// cache line: stores to it fill the reader's store buffer, and the store
	// under test then waits behind them for its turn.
	ballast = 4 << 20
	stride  = 8
)

// The store-buffer litmus: a reader enters and loads as fast as it can, a
// writer changes, synchronizes and poisons. If the reader's entry could stay
// in its store buffer while its load went ahead, the writer would look, see
// nobody, and poison what the reader has in hand.
func TestReaderEntryIsSeenBeforeItsLoads(t *testing.T) {
	for _, symmetric := range []bool{false, true} {
		l := litmus{d: rcu.New(rcu.Options{Symmetric: symmetric})}
		l.current.Store(&l.objects[0])
		reader := sched.NewWorld().Go("reader", l.read)
		for i := 1; !l.ended.Load(); i++ {
			next := &l.objects[i&1]
			next.Store(false)
			old := l.current.Swap(next)
			l.d.Synchronize()
			old.Store(true)
		}
		reader.Join()
		l.d.Close()
		if l.bad > 0 {
			t.Errorf("symmetric %v: %d of %d sections saw a poisoned object", symmetric, l.bad, l.sections)
		}
	}
}

type litmus struct {
	d        *rcu.Domain
	objects  [2]atomic.Bool // true while poisoned
	current  atomic.Pointer[atomic.Bool]
	ended    atomic.Bool
	sections uint64 // owned by the reader until it is joined
	bad      uint64 // sections that saw a poisoned object; so too
}

func (l *litmus) read(*sched.Thread) {
	r := l.d.Register("reader")
	defer r.Unregister()
	slow := make([]uint64, ballast)
	for at := range slow {
		slow[at] = 1
	}
	at := uint64(0)
	for l.sections < *litmusSections && l.bad == 0 {
		l.sections++
		for i := range l.sections & 63 {
			at = (at + 4099*stride) % ballast
			slow[at] = i
		}
		r.Lock()
		o := l.current.Load()
		for range 200 {
			if o.Load() {
				l.bad++
				break
			}
		}
		r.Unlock()
	}
	l.ended.Store(true)
}
