// Package schedtest runs the bodies of tests in simulated Worlds, under many
// schedules.
//
// How many is the test's affair, times -sim.scale. A failing schedule is
// shortened and printed with the command that replays it; -sim.replay makes
// that one run and prints who did what. -sim.seed starts the random part
// elsewhere, so that a long run sees what others have not.
package schedtest

import (
	"flag"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
)

// Flags of the test binary. They never change once they are parsed.
var (
	scale  = flag.Float64("sim.scale", 1, "how many times as many schedules as usual are tried")
	seed   = flag.Uint64("sim.seed", 0, "the `number` that random schedules begin with")
	replay = flag.String("sim.replay", "", "make one run, with this `schedule`")
)

// preemptions bounds the depth-first part of an exploration.
const preemptions = 2

// every are how rare pre-emptions are in random runs, by turns. It never
// changes.
var every = [...]int{16, 3, 8, 2}

// rankedDepth is how many orderings a bug may need that runs by priority look
// for.
const rankedDepth = 4

// shrinkRuns bounds the search for a shorter failing schedule.
const shrinkRuns = 400

// raceShare is how much less is tried with the race detector, which slows a run
// down as much and has little to look at where one thread runs at a time.
const raceShare = 10

// Explore runs body under as many schedules as runs says, unless flags say
// otherwise: half of them depth first with few pre-emptions, as far as there
// are that many, the others at random, one in five of them by priority. It fails t, at once, with the first
// schedule that fails.
func Explore(t *testing.T, runs int, body func(w *sched.World)) {
	t.Helper()
	e := explorer{t: t, body: body}
	if *replay != "" {
		e.replay(*replay)
		return
	}
	runs = Runs(runs)
	for d := (&sched.DFS{Bound: preemptions}); e.runs < runs/2; {
		if out := e.run(d); !d.Next(out.Choices) {
			break
		}
	}
	length := 0 // choices of the last run
	for n := uint64(0); e.runs < runs; n++ {
		ch := sched.PCT(*seed+n, rankedDepth, length)
		if turn := n % uint64(len(every)+1); turn > 0 {
			ch = sched.Random(*seed+n, every[turn-1])
		}
		length = len(e.run(ch).Choices)
	}
	t.Logf("%d schedules", e.runs)
}

// Runs is how many schedules to try where a test would try n: as many as flags
// say, and fewer under the race detector.
func Runs(n int) int {
	n = int(float64(n) * *scale)
	if raceDetector {
		n /= raceShare
	}
	return max(n, 1)
}

type explorer struct {
	t    *testing.T
	body func(w *sched.World)
	runs int
}

// run makes one run.
func (e *explorer) run(ch sched.Chooser) sched.Outcome {
	e.t.Helper()
	out := sched.Simulate(sched.Options{Chooser: ch}, e.body, nil)
	e.runs++
	if out.Failure != nil {
		e.fail(out)
	}
	return out
}

// fail ends the test with a schedule that fails as out did, and is no longer.
func (e *explorer) fail(out sched.Outcome) {
	e.t.Helper()
	short := sched.Shrink(sched.ScheduleOf(out.Choices), shrinkRuns, func(s sched.Schedule) (sched.Schedule, bool) {
		again := sched.Simulate(sched.Options{Chooser: sched.Replay(s)}, e.body, nil)
		return sched.ScheduleOf(again.Choices), again.Failure != nil && again.Failure.Kind == out.Failure.Kind
	})
	e.t.Fatalf("run %d, schedule %v: %v\nreplay with -run '^%s$' -sim.replay=%v\n%s",
		e.runs, short, out.Failure, e.t.Name(), short, out.Failure.Stack)
}

func (e *explorer) replay(text string) {
	e.t.Helper()
	s, err := sched.ParseSchedule(text)
	if err != nil {
		e.t.Fatal(err)
	}
	out := sched.Simulate(sched.Options{Chooser: sched.Replay(s), Log: true}, e.body, nil)
	e.t.Logf("schedule %v:\n%s", s, strings.Join(out.Log, "\n"))
	if out.Failure != nil {
		e.t.Fatalf("%v\n%s", out.Failure, out.Failure.Stack)
	}
}
