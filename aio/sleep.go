package aio

import "github.com/backplane-vm/backplane/coro"

// Sleep yields co until clock has advanced by ns nanoseconds. The coroutine
// must live in a Context.
func Sleep(co *coro.Co, clock *Clock, ns int64) {
	ctx := co.Home().(*Context)
	ctx.Timer(clock, co.Wake).Arm(clock.Now() + ns)
	co.Yield()
}
