// Package measure times a machine from where its user stands: a client of the
// monitor on one side, the guest's log on the other. `backplane demo`,
// `backplane bench` and the Go benchmarks take their figures here, so that all
// three mean the same by them, and so that QEMU is measured with the same ruler.
//
// A [Subject] is a machine that runs the demo guest, wherever it runs: in this
// process, or as a [Process] of its own, which may be QEMU. An [Emulator] starts
// such processes. [Suite] is the table of what is measured.
//
// Times are nanoseconds of the caller's [Clock]. A Process has a goroutine that
// waits for its end, besides those of os/exec and of the client; Stop ends them
// all. Everything that waits takes a context. The package's locks are leaves.
package measure

import (
	"slices"
)

// A Clock tells monotonic time in nanoseconds since some moment.
type Clock func() int64

// A Stat sums up samples of one quantity.
type Stat struct {
	N                int
	Median, Min, Max float64
}

// Summarise returns the Stat of samples; it is zero if there are none.
func Summarise(samples []float64) Stat {
	n := len(samples)
	if n == 0 {
		return Stat{}
	}
	s := slices.Sorted(slices.Values(samples))
	return Stat{N: n, Median: (s[(n-1)/2] + s[n/2]) / 2, Min: s[0], Max: s[n-1]}
}

// Quantile returns the sample below which the share q (0 to 1) of them lies; 0
// if there are none.
func Quantile(samples []float64, q float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(samples))
	return s[min(len(s)-1, int(q*float64(len(s))))]
}
