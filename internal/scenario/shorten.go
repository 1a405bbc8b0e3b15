package scenario

import (
	"math/rand/v2"

	"github.com/backplane-vm/backplane/internal/sched"
)

// Bounds of the search for a shorter failing schedule.
const (
	shrinkRuns = 400  // leaving deviations out
	sampleRuns = 1500 // drawing schedules of two, then of three
)

// shorten looks for a schedule with fewer deviations that fails in the same
// way. It leaves deviations out of the one that was found; but where one was,
// everything after it may have another number. So it also tries the plain run,
// all runs with one deviation once the lab is built, and some with two and
// three.
func (e *explorer) shorten() {
	e.cell.Schedule = sched.Shrink(e.cell.Schedule, shrinkRuns, e.fails)
	if len(e.cell.Schedule) == 0 || e.take(nil) {
		return
	}
	plain := e.s.Simulate(e.registry, e.cell.Policy, sched.Options{Chooser: sched.Replay(nil), Log: true})
	begin := plain.Entries[plain.Begin()].Choice
	for at := begin; at < len(plain.Choices) && len(e.cell.Schedule) > 1; at++ {
		for pick := 1; pick < int(plain.Choices[at].N); pick++ {
			if e.take(sched.Schedule{{At: at, Pick: pick}}) {
				return
			}
		}
	}
	r := rand.New(rand.NewPCG(e.budget.Seed, uint64(len(plain.Choices))))
	for n := 2; n <= 3 && n < len(e.cell.Schedule); n++ {
		for range sampleRuns {
			if e.take(draw(r, n, begin, len(plain.Choices))) {
				return
			}
		}
	}
}

// draw draws a schedule of n deviations between two choices.
func draw(r *rand.Rand, n, from, to int) sched.Schedule {
	var s sched.Schedule
	for i := range n {
		at := from + r.IntN(max(1, to-from-(n-i)))
		s = append(s, sched.Deviation{At: at, Pick: 1 + r.IntN(3)})
		from = at + 1
	}
	return s
}

// take makes try the cell's schedule if it fails in the same way and is
// shorter.
func (e *explorer) take(try sched.Schedule) bool {
	got, ok := e.fails(try)
	if ok && len(got) < len(e.cell.Schedule) {
		e.cell.Schedule = got
		e.refresh()
		return true
	}
	return false
}

// fails replays a schedule and returns what it came to, if it fails in the way
// of the cell.
func (e *explorer) fails(try sched.Schedule) (sched.Schedule, bool) {
	out := e.s.Simulate(e.registry, e.cell.Policy, sched.Options{Chooser: sched.Replay(try)})
	if out.Failure == nil || out.Failure.Kind != e.cell.Failure.Kind {
		return nil, false
	}
	return sched.ScheduleOf(out.Choices), true
}

// refresh takes the failure from the schedule.
func (e *explorer) refresh() {
	out := e.s.Simulate(e.registry, e.cell.Policy, sched.Options{Chooser: sched.Replay(e.cell.Schedule)})
	if out.Failure != nil {
		e.cell.Failure = out.Failure
	}
}
