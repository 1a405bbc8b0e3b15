package launch

import (
	"runtime"
	"sync"
	"testing"
)

// TestReserveProcessors: the setting is raised, never lowered, also by machines
// that start at the same time.
func TestReserveProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(3)
	defer runtime.GOMAXPROCS(before)
	for _, c := range []struct{ harts, want int }{{1, 3}, {2, 4}, {8, 10}, {1, 10}} {
		reserveProcessors(c.harts)
		if got := runtime.GOMAXPROCS(0); got != c.want {
			t.Errorf("after %d harts GOMAXPROCS is %d, want %d", c.harts, got, c.want)
		}
	}
	var all sync.WaitGroup
	for harts := range 20 {
		all.Go(func() { reserveProcessors(harts) })
	}
	all.Wait()
	if got := runtime.GOMAXPROCS(0); got != 21 {
		t.Errorf("after twenty at once GOMAXPROCS is %d, want 21", got)
	}
}
