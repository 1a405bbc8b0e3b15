package rcu

import "github.com/backplane-vm/backplane/coro"

// Stalled returns for how long, in nanoseconds, the grace period in progress
// has waited for readers; ok is false if none waits.
func (d *Domain) Stalled() (ns int64, ok bool) {
	if !d.waiting.Load() {
		return 0, false
	}
	d.registry.mu.Lock()
	defer d.registry.mu.Unlock()
	return d.w.Now() - d.registry.began, true
}

// DrainCoCancelable is DrainCo that returns an error if co is cancelled before
// or while it waits. What was queued then still runs in its time.
func (d *Domain) DrainCoCancelable(co *coro.Co) error {
	done := new(coro.Event)
	d.urge()
	d.Call(func() {
		d.calm()
		done.Set()
	})
	return done.WaitCancelable(co)
}
