// Package rcu provides read-copy-update: readers that never wait, and writers
// that wait until every reader that might still see what they took away has
// left.
//
// Go has a garbage collector, so memory needs none of this. Resources do: a
// drive, an id, a mapped region or a file lock may be given to the next user
// only after the last reader that could touch it through an old pointer.
//
// A reader is a thread that called [Domain.Register]. Between [Reader.Lock]
// and [Reader.Unlock] it is in a read-side critical section; sections nest.
// What a section reaches, it reaches through a pointer that it loads, and that
// writers store, with sync/atomic. A grace period ends once every section that
// had begun when it started has ended. [Domain.Synchronize] waits for one;
// [Domain.Call] has a function run after one, in order; [Domain.Drain] and
// [Domain.DrainCo] wait until all that was queued before has run; a [Cookie]
// asks, without waiting, whether one has gone by.
//
// # How a grace period works
//
// The domain has a grace-period number that only grows. A reader publishes the
// number it saw when it entered its outermost section, and its idle value when
// it left. A writer, having made its change, raises the number, and then waits
// for each reader that shows a number below the new one. F is a
// full barrier in the writer *and* in every reader; how, is told below.
//
//	reader                       writer
//	r1  load the number          w1  change the pointer
//	r2  publish it               w2  raise the number to N
//	r3  load the pointer ...     w3  F
//	r4  publish idle             w4  look at what the reader publishes
//
// What the writer sees in w4 decides:
//
//   - N or more: r1 came after w2, so r3 comes after w1, and the section has
//     the new pointer.
//   - Idle: either r2 has not happened, or r4 has. If r2 falls after F in its
//     thread, so does r3, which therefore sees w1. If r2 falls before F, then
//     w4 would have seen it unless r4 had followed; and then every load of the
//     section is over.
//   - An older number: it waits. That can be one section too many, never one
//     too few.
//
// The case to think about is a reader that is delayed between r1 and r2 for as
// long as one likes, across whole grace periods, and then publishes an old
// number. The grace periods that went by did not wait for it, and need not
// have: its r3 is after their F. The next one, number M, does: the number it
// shows is below M, as is every number that was ever loaded before M was
// raised. "Older" is a comparison, so an old number can be taken neither for
// idle nor for new, however late it comes.
//
// That is why one pass over the readers is enough here, where the number has 64
// bits on every platform and would last for centuries at one grace period a
// nanosecond. The second phase of the classic algorithm is for numbers that
// wrap, in the extreme one bit of parity: there a reader delayed as above
// publishes yesterday's parity, which is also tomorrow's, and the next grace
// period but one takes it for a section that began after. Waiting for both
// parities in turn mends that, at twice the price. What remains of the second
// look is the one that a wait needs: before it parks, the writer flags the
// readers it waits for, fences (F), and looks again, so that a reader either
// finds the flag when it leaves or is found to have left. A reader that was
// delayed as above and published between the two looks is found inside and
// without a flag: then the writer flags and looks once more before it parks.
//
// # The barrier that readers do not pay for
//
// F has to order r2 before r3: a store before a load. That is the one
// reordering amd64 does, and what makes a Go atomic store (an XCHG) cost more
// than the rest of Lock and Unlock together. Grace periods are rare and
// sections are not, so on linux/amd64 the writer pays for both: membarrier(2),
// private expedited, returns after every thread of the process that was
// running has executed a full barrier. Threads that were not running executed
// one when they were switched out. Readers then publish with plain stores.
//
// What this rests on, and what Go promises of it:
//
//   - The Go memory model calls a plain store that another goroutine reads a
//     data race. It does say what a race on a machine word can do: a load sees
//     some value that was stored there, none is torn or invented. The order is
//     what it leaves open, so the rest of the argument is outside of it.
//   - The compiler must keep r1..r4 in order and drop none of them. gc does:
//     all stores, atomic operations and calls of a function form one chain of
//     memory states, which its scheduler follows; a plain load stays between
//     the two links where it was written; dead-store elimination spares a
//     store if anything at all reads memory before the next one. A section
//     that reads nothing may so lose its stores; nobody can tell. r1, r3 and
//     the look at the flag are atomic loads, which are links of that chain.
//   - The processor may delay a store past later loads and do nothing else
//     (Intel SDM 3A §9.2.3.2; AMD APM 2 §7.2): r3 stays before r4, r1 before
//     r3, and F covers r2 before r3 and r4 before the look at the flag.
//   - A goroutine that moves to another thread in the middle of a section, be
//     it preempted asynchronously between two instructions, passes through
//     the runtime's scheduler, whose locks and atomics on both threads are
//     full barriers on amd64. F sees it before, after, or barriers both.
//
// Everywhere else, and in builds with the race detector, readers publish with
// sync/atomic, F is nothing, and the argument above is one about sequentially
// consistent atomics, wholly inside the memory model. On arm64 that is cheap
// anyway (STLR). A domain on a kernel without membarrier and one made with
// [Options].Symmetric use the same: their readers take the slow path. So do
// those in a simulated World, where that path has scheduling points, and a store
// buffer as weak as the processor's at worst (fence).
//
// # Goroutines, locks, blocking
//
// A Domain starts one goroutine, the reclaimer, which runs grace periods for
// Call without any lock and the callbacks inside [Options].Around (the machine
// passes one that takes the BQL). Readers never block. Synchronize, Wait, Drain
// and Close block; none may be called inside a read-side critical section, by a
// callback, nor while holding anything that a reader waits for inside its
// section; the methods of the same names on [Reader] check the first. Lock
// order: the grace-period mutex, the registry mutex; the queue mutex is a leaf.
// Callers' functions (callbacks, hooks, reports) run without any of them.
package rcu
