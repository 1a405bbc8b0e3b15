package launch

import "runtime"

// spareProcessors is how many goroutines may run beside harts that never leave
// the processor: the main loop and one that does I/O.
const spareProcessors = 2

// reserveProcessors lets Go run goroutines beside busy harts. With as many
// threads as harts an I/O goroutine waits for the scheduler's pre-emption, tens
// of milliseconds; with two more, for the host's, which is microseconds on a
// host with a processor to spare.
//
// GOMAXPROCS is the process's, so this is a policy and not the machine's
// business alone: it is only ever raised, and not given back, for other
// machines may count on it. Harts of several machines are not added up, for
// most of a process's machines idle. Machines that start at the same time do
// not lower what the other has set.
func reserveProcessors(harts int) {
	want := harts + spareProcessors
	for runtime.GOMAXPROCS(0) < want {
		want = max(want, runtime.GOMAXPROCS(want))
	}
}
