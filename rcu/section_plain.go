//go:build linux && amd64 && !race

package rcu

import (
	"sync/atomic"
	"syscall"
)

// plainStores: this build's readers publish with plain stores and rely on the
// writer's fence. The package comment has the argument. Both methods fit the
// compiler's inlining budget (80) with a little to spare, which is what their form
// is about; TestInlined watches it.
const plainStores = true

// Lock begins a read-side critical section, or nests one deeper. It never
// blocks.
func (r *Reader) Lock() {
	if r.seen == 0 {
		r.seen = r.gp.Load()
	} else {
		r.lockSlow()
	}
}

// Unlock ends the innermost section. It never blocks.
func (r *Reader) Unlock() {
	if r.nest < r.seen {
		r.seen = 0
		if atomic.LoadUint32(&r.flag) == 0 {
			return
		}
	}
	r.unlockSlow()
}

// membarrier(2), from the kernel's uapi/linux/membarrier.h.
const (
	sysMembarrier                    = 324
	membarrierPrivateExpedited       = 1 << 3
	membarrierRegisterPrivateExpedit = 1 << 4
)

// registerFence makes ready for fence and reports whether there is one. It may
// be called many times; only a process's first costs something.
func registerFence() bool {
	_, _, errno := syscall.RawSyscall(sysMembarrier, membarrierRegisterPrivateExpedit, 0, 0)
	return errno == 0
}

// membarrier is a full memory barrier in every running thread of the process.
// It takes about a microsecond.
func (d *Domain) membarrier() {
	if _, _, errno := syscall.RawSyscall(sysMembarrier, membarrierPrivateExpedited, 0, 0); errno != 0 {
		panic("rcu: membarrier was there and is gone: " + errno.Error())
	}
}
