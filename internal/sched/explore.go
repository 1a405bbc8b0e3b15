package sched

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
)

// A Schedule is what sets a run apart from the plain one, in which a thread
// runs until it has to wait and the oldest that can goes on: the choices that
// were answered with something other than 0. It replays the run.
type Schedule []Deviation

// A Deviation is one choice of a Schedule.
type Deviation struct{ At, Pick int }

// String writes the schedule as "at:pick,at:pick"; "-" for the plain one.
func (s Schedule) String() string {
	if len(s) == 0 {
		return "-"
	}
	var b strings.Builder
	for i, d := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%d:%d", d.At, d.Pick)
	}
	return b.String()
}

// ParseSchedule reads what String writes.
func ParseSchedule(text string) (Schedule, error) {
	if text == "-" || text == "" {
		return nil, nil
	}
	var s Schedule
	for _, part := range strings.Split(text, ",") {
		at, pick, ok := strings.Cut(part, ":")
		a, err1 := strconv.Atoi(at)
		p, err2 := strconv.Atoi(pick)
		if !ok || err1 != nil || err2 != nil || a < 0 || p < 0 {
			return nil, fmt.Errorf("sched: %q is no schedule: %q should be CHOICE:PICK", text, part)
		}
		s = append(s, Deviation{a, p})
	}
	return s, nil
}

// ScheduleOf returns the schedule of a run.
func ScheduleOf(choices []Choice) Schedule {
	var s Schedule
	for at, c := range choices {
		if c.Picked != 0 {
			s = append(s, Deviation{at, int(c.Picked)})
		}
	}
	return s
}

// Hash tells runs of one body apart by their choices.
func Hash(choices []Choice) uint64 {
	h := fnv.New64a()
	buf := make([]byte, len(choices))
	for i, c := range choices {
		buf[i] = c.Picked
	}
	h.Write(buf)
	return h.Sum64()
}

// Replay returns the Chooser of a schedule.
func Replay(s Schedule) Chooser {
	picks := make(map[int]int, len(s))
	for _, d := range s {
		picks[d.At] = d.Pick
	}
	return replay(picks)
}

type replay map[int]int

func (r replay) Choose(at, n int, _ bool) int { return min(r[at], n-1) }

// Random returns a Chooser that pre-empts the running thread about once in
// every `every` choices, and otherwise picks evenly.
func Random(seed uint64, every int) Chooser {
	return &random{rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), max(every, 1)}
}

type random struct {
	r     *rand.Rand
	every int
}

func (c *random) Choose(_, n int, kept bool) int {
	if !kept {
		return c.r.IntN(n)
	}
	if c.r.IntN(c.every) != 0 {
		return 0
	}
	return 1 + c.r.IntN(n-1)
}

// DFS explores all runs with at most Bound pre-emptions, depth first: each
// run's choices are the last one's with the last choice that still has an
// alternative changed. It is a Chooser for one run at a time.
type DFS struct {
	Bound  int
	prefix []int
	done   bool
}

// Choose implements [Chooser].
func (d *DFS) Choose(at, n int, _ bool) int {
	if at < len(d.prefix) {
		return min(d.prefix[at], n-1)
	}
	return 0
}

// Next takes note of the run just made and prepares the next one; false if
// there is none left.
func (d *DFS) Next(choices []Choice) bool {
	cost := 0
	costs := make([]int, len(choices)) // pre-emptions before each choice
	for i, c := range choices {
		costs[i] = cost
		if c.Kept && c.Picked != 0 {
			cost++
		}
	}
	for i := len(choices) - 1; i >= 0; i-- {
		c := choices[i]
		if int(c.Picked)+1 >= int(c.N) {
			continue
		}
		if c.Kept && costs[i]+1 > d.Bound {
			continue
		}
		d.prefix = d.prefix[:0]
		for _, b := range choices[:i] {
			d.prefix = append(d.prefix, int(b.Picked))
		}
		d.prefix = append(d.prefix, int(c.Picked)+1)
		return true
	}
	d.done = true
	return false
}

// Shrink looks for a shorter schedule that fails in the same way: it leaves out
// deviations, halves first, then one by one, as long as fails says so. It tries
// at most limit runs.
func Shrink(s Schedule, limit int, fails func(Schedule) (Schedule, bool)) Schedule {
	for size := (len(s) + 1) / 2; size >= 1 && limit > 0; {
		shorter := false
		for from := 0; from < len(s) && limit > 0; from += size {
			try := append(append(Schedule{}, s[:from]...), s[min(from+size, len(s)):]...)
			limit--
			if got, ok := fails(try); ok && len(got) < len(s) {
				s, shorter = got, true
				break
			}
		}
		switch {
		case shorter:
			size = min(size, max(1, (len(s)+1)/2))
		case size == 1:
			return s
		default:
			size /= 2
		}
	}
	return s
}
