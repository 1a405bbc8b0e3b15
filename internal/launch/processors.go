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
// most of a process's machines idle. The runtime's look and change are two
// steps: of machines that start at the very same moment the smaller one's may
// be what stays, so a process that does that sets GOMAXPROCS itself.
func reserveProcessors(harts int) {
	if want := harts + spareProcessors; runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
}
