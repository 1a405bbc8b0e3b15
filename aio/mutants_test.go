//go:build mutants

package aio_test

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/mutant/mutanttest"
)

func TestMutantsAreFound(t *testing.T) {
	mutanttest.Check(t, []mutanttest.Mutant{
		{Name: "aio-lost-notify", Breaks: "a bottom half wakes who waits for one", Test: "^TestSimulatedPollWakes$"},
		{Name: "aio-notify-uncounted", Breaks: "a Notify before the wait ends it", Test: "^TestSimulatedNotify$"},
		{Name: "aio-bh-lost-on-cancel", Breaks: "a cancelled bottom half can be scheduled again", Test: "^TestSimulatedBottomHalf$"},
		{Name: "aio-bh-runs-after-delete", Breaks: "a deleted bottom half does not run", Test: "^TestBottomHalves$"},
		{Name: "aio-bh-reenters", Breaks: "a bottom half is not entered while it runs", Test: "^TestNoCallbackIsReentered$"},
		{Name: "aio-timer-early", Breaks: "a timer does not fire before its time", Test: "^TestTimerOrder$"},
		{Name: "aio-timer-lost", Breaks: "a timer armed by its own function fires again", Test: "^TestNoCallbackIsReentered$"},
		{Name: "aio-timer-untold", Breaks: "an earlier timer shortens the wait", Test: "^TestSimulatedTimers$"},
		{Name: "aio-clock-untold", Breaks: "a clock that starts ends waits", Test: "^TestSimulatedClocks$"},
		{Name: "aio-home-unchecked", Breaks: "only its home enters a coroutine", Test: "^TestRulesAreAsserted$"},
		{Name: "aio-pool-loses-work", Breaks: "a worker that leaves takes no job with it", Test: "^TestSimulatedPool$"},
	})
}
