package launch

import (
	"runtime"
	"testing"
)

// TestReserveProcessors: the setting is raised and never lowered.
func TestReserveProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(3)
	defer runtime.GOMAXPROCS(before)
	for _, c := range []struct{ harts, want int }{{1, 3}, {2, 4}, {8, 10}, {1, 10}} {
		reserveProcessors(c.harts)
		if got := runtime.GOMAXPROCS(0); got != c.want {
			t.Errorf("after %d harts GOMAXPROCS is %d, want %d", c.harts, got, c.want)
		}
	}
}
