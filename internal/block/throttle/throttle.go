// Package throttle holds requests to limits of bytes and operations a second:
// a core without I/O that is told of requests and says when each may go.
//
// A [Group] has limits and members, its disks. Every limit is a leaky bucket:
// a request pours its bytes, or its share of an operation, into the buckets it
// counts for, which leak at the rate of the limit; while one is too full, the
// requests of its direction wait. Reads and writes wait apart. Members
// take turns. [Set] knows the groups of a machine by name.
//
// Goroutines: none. Locks: none; a group and all that belongs to it is used
// under one lock, the BQL in a machine, timers included. Nothing blocks. A
// member's queue is as long as the requests that its disk has in flight, which
// devices bound.
package throttle

// Direction is what a request does.
type Direction int

// The directions. They wait in queues of their own.
const (
	Read Direction = iota
	Write

	directions = 2
)

// A Clock is where time comes from.
type Clock interface {
	// Now is in nanoseconds and never goes back.
	Now() int64
	// Timer returns one that calls f, once after each Arm. It is not armed.
	Timer(f func()) Timer
}

// A Timer calls a function when its time has come.
type Timer interface {
	// Arm sets the time, in nanoseconds of the clock, in place of an earlier one.
	Arm(at int64)
	// Cancel leaves the timer unarmed.
	Cancel()
}
