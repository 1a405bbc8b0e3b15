//go:build !linux || !amd64 || race

package rcu

import "sync/atomic"

// plainStores: this build's readers publish with atomic stores, which need no
// fence of the writer's.
const plainStores = false

// Lock begins a read-side critical section, or nests one deeper. It never
// blocks.
func (r *Reader) Lock() {
	if r.seen == 0 {
		atomic.StoreUint64(&r.seen, r.gp.Load())
	} else {
		r.lockSlow()
	}
}

// Unlock ends the innermost section. It never blocks.
func (r *Reader) Unlock() {
	if r.nest < r.seen {
		atomic.StoreUint64(&r.seen, 0)
		if atomic.LoadUint32(&r.flag) == 0 {
			return
		}
	}
	r.unlockSlow()
}

// registerFence reports that no fence is needed.
func registerFence() bool { return false }

// membarrier does nothing: atomics are sequentially consistent.
func (d *Domain) membarrier() {}
