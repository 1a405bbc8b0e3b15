package monitor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// TestThrottle sends events at given milliseconds of a simulated clock.
func TestThrottle(t *testing.T) {
	type sent struct {
		at   int64 // in milliseconds
		name string
		n    int64  // tells them apart
		path string // member qom-path, if any
	}
	for _, test := range []struct {
		name string
		in   []sent
		want string // those that come, as n@ms
	}{
		{"not limited", []sent{{0, "STOP", 1, ""}, {0, "STOP", 2, ""}}, "1@0 2@0"},
		{"the last of an interval", []sent{{0, "RTC_CHANGE", 1, ""}, {10, "RTC_CHANGE", 2, ""}, {900, "RTC_CHANGE", 3, ""}}, "1@0 3@1000"},
		{"intervals follow each other", []sent{{0, "WATCHDOG", 1, ""}, {10, "WATCHDOG", 2, ""}, {1500, "WATCHDOG", 3, ""}}, "1@0 2@1000 3@2000"},
		{"quiet for an interval", []sent{{0, "BALLOON_CHANGE", 1, ""}, {1001, "BALLOON_CHANGE", 2, ""}}, "1@0 2@1001"},
		{"names are kinds", []sent{{0, "WATCHDOG", 1, ""}, {5, "BALLOON_CHANGE", 2, ""}}, "1@0 2@5"},
		{"devices are kinds", []sent{{0, "BLOCK_IO_ERROR", 1, "/a"}, {1, "BLOCK_IO_ERROR", 2, "/b"}, {2, "BLOCK_IO_ERROR", 3, "/a"}}, "1@0 2@1 3@1000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			out := sched.Simulate(sched.Options{}, func(w *sched.World) {
				ctx, clock := aio.NewContext(w, "test", nil), aio.NewClock(w, true)
				th := newThrottle(ctx, clock, func(e stamped) {
					n, _ := e.Data.(*qobject.Dict).Get("n")
					got = append(got, fmt.Sprintf("%d@%d", n, clock.Now()/1e6))
				})
				pending := 0
				for _, e := range test.in {
					pending++
					d := qobject.Members("n", e.n)
					if e.path != "" {
						d.Set("qom-path", e.path)
					}
					timer := ctx.Timer(clock, func() {
						pending--
						th.event(stamped{Event: qmp.Event{Name: e.name, Data: d}})
					})
					timer.Arm(e.at * 1e6)
				}
				for pending > 0 || len(th.kinds) > 0 {
					ctx.Poll(true)
				}
			}, nil)
			if out.Failure != nil {
				t.Fatal(out.Failure)
			}
			if g := strings.Join(got, " "); g != test.want {
				t.Errorf("got %s, want %s", g, test.want)
			}
		})
	}
}
