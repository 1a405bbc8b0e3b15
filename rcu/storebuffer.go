package rcu

import (
	"sync/atomic"

	"github.com/backplane-vm/backplane/internal/mutant"
)

// fence makes all that readers have published visible to the writer that calls
// it, and what the writer did before visible to readers that publish later. The
// registry's mutex is held.
//
// In a simulated World every reader has a store buffer, as weak as the
// processor's may be at worst: what it publishes stays there until a fence, or
// until the next store takes its place. So a program under the simulator fails
// where a fence is missing, on any host and at once, and not only on two idle
// processors after a hundred thousand sections.
func (d *Domain) fence() {
	switch {
	case mutant.Planted("rcu-skip-barrier"):
	case d.weak:
		for _, r := range d.registry.readers {
			if r.pending {
				r.seen, r.pending = r.stored, false
			}
		}
	case d.asymmetric:
		d.membarrier()
	}
}

// publish is the store with which a reader that is aside enters and leaves a
// section.
func (r *Reader) publish(v uint64) {
	if r.d.weak {
		r.stored, r.pending = v, true
		return
	}
	atomic.StoreUint64(&r.seen, v)
}

// own is what the thread published last, whether others see it or not.
func (r *Reader) own() uint64 {
	if r.pending {
		return r.stored
	}
	return r.seen
}
