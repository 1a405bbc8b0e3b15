//go:build mutants

package coro_test

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/mutant/mutanttest"
)

func TestMutantsAreFound(t *testing.T) {
	mutanttest.Check(t, []mutanttest.Mutant{
		{Name: "coro-double-enter", Breaks: "what runs is not entered", Test: "^TestRecursiveEnter$"},
		{Name: "coro-early-wake-lost", Breaks: "a wake before the yield counts", Test: "^TestSimulatedEarlyWake$"},
		{Name: "coro-hands-over-early", Breaks: "a coroutine yields before another loop enters it", Test: "^TestSimulatedYieldTo$"},
		{Name: "coro-mutex-unfair", Breaks: "a Mutex is handed over", Test: "^TestSimulatedMutex$"},
		{Name: "coro-grant-lost-on-kill", Breaks: "what the killed were granted goes on", Test: "^TestLines$"},
		{Name: "coro-signal-lost-on-kill", Breaks: "a signal to the killed goes on", Test: "^TestSignalOutlivesItsReceiver$"},
		{Name: "coro-cancels-granted", Breaks: "a wait ends once", Test: "^TestSimulatedCancel$"},
		{Name: "coro-rwlock-overtakes", Breaks: "readers do not overtake a writer", Test: "^TestRWLockOrder$"},
		{Name: "coro-semaphore-overtakes", Breaks: "few do not overtake many", Test: "^TestSemaphoreOrder$"},
	})
}
