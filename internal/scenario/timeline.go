package scenario

import (
	"slices"

	"github.com/backplane-vm/backplane/internal/sched"
)

// A Timeline is a run as it can be drawn: a lane for each thread, spans on
// them, over scheduling points. It is immutable once made.
type Timeline struct {
	Lanes   []*Lane
	Begin   int      // the scheduling point at which the lab is built and the scenario begins
	End     int      // the last scheduling point
	Locks   []string // that were held, the big lock first
	Failure string   // "" if all was well
	Turns   []Turn   // choices that set the run apart from the plain one
	Stuck   bool     // those that wait at the end do so for ever
}

// A Turn is a choice that was answered with something other than 0.
type Turn struct {
	Step int
	sched.Deviation
}

// A Lane is what one thread did. Spans of one kind are in order and, but for
// Inside and Held, do not overlap.
type Lane struct {
	Thread     string
	From, To   int    // when it lived
	Ran        []Span // each named after the scheduling point that ended it
	Waited     []Span // named after what for
	Held       []Span // locks
	Inside     []Span // emulations, sections
	Failed     bool   // the run ended in it
	open       map[string]int
	waitingFor string
	waitFrom   int
}

// A Span is a stretch of a lane, in scheduling points. It has no width if it
// began and ended between two.
type Span struct {
	From, To int
	What     string
	Open     bool // it lasted until the run's end
}

// NewTimeline arranges what a simulation logged.
func NewTimeline(out sched.Outcome) *Timeline {
	t := new(Timeline)
	if out.Failure != nil {
		t.Failure = out.Failure.Error()
		t.Stuck = out.Failure.Kind == sched.Deadlock || out.Failure.Kind == sched.Leak
	}
	d := &drawing{t: t, lanes: make(map[uint64]*Lane), names: make(map[string]*Lane)}
	turns := sched.ScheduleOf(out.Choices)
	for _, e := range out.Entries {
		for len(turns) > 0 && turns[0].At < e.Choice {
			t.Turns = append(t.Turns, Turn{d.step, turns[0]})
			turns = turns[1:]
		}
		d.add(e)
	}
	d.finish()
	return t
}

// drawing is a Timeline being made.
type drawing struct {
	t     *Timeline
	lanes map[uint64]*Lane // by thread
	names map[string]*Lane // the last of that name
	step  int              // of the last entry
}

// lane returns the lane of a thread; threads that come and go under one name,
// such as timers, share one.
func (d *drawing) lane(e sched.Entry) *Lane {
	if l := d.lanes[e.ID]; l != nil {
		return l
	}
	l := d.names[e.Thread]
	if l == nil || l.To < 0 {
		l = &Lane{Thread: e.Thread, From: d.step, open: make(map[string]int)}
		d.t.Lanes = append(d.t.Lanes, l)
	}
	l.To = -1
	d.lanes[e.ID], d.names[e.Thread] = l, l
	return l
}

func (d *drawing) add(e sched.Entry) {
	defer func() { d.step = e.Step }()
	d.t.End = max(d.t.End, e.Step)
	if e.Thread == "" {
		return
	}
	l := d.lane(e)
	if e.Step > d.step { // it ran up to this point
		l.endWait(d.step)
		l.Ran = append(l.Ran, Span{From: d.step, To: e.Step, What: e.Verb + " " + e.What})
	}
	switch e.Verb {
	case sched.VerbWaits:
		l.waitingFor, l.waitFrom = e.What, e.Step
	case sched.VerbHas, sched.VerbEnters:
		l.open[e.Verb+" "+e.What] = e.Step
		if e.Verb == sched.VerbHas && !slices.Contains(d.t.Locks, e.What) {
			d.t.Locks = append(d.t.Locks, e.What)
		}
	case sched.VerbLets:
		l.Held = l.end(l.Held, sched.VerbHas, e.What, e.Step)
	case sched.VerbLeaves:
		l.Inside = l.end(l.Inside, sched.VerbEnters, e.What, e.Step)
	case sched.VerbEnds:
		l.To = e.Step
	case sched.VerbFails:
		l.Failed = true
	case sched.VerbBegins:
		d.t.Begin = e.Step
	}
}

// end closes a span that the verb began.
func (l *Lane) end(list []Span, verb, what string, at int) []Span {
	from, ok := l.open[verb+" "+what]
	if !ok {
		return list
	}
	delete(l.open, verb+" "+what)
	return append(list, Span{From: from, To: at, What: what})
}

func (l *Lane) endWait(at int) {
	if l.waitingFor != "" && at > l.waitFrom {
		l.Waited = append(l.Waited, Span{From: l.waitFrom, To: at, What: l.waitingFor})
	}
	l.waitingFor = ""
}

// finish closes what is open at the run's end.
func (d *drawing) finish() {
	for _, l := range d.t.Lanes {
		if l.waitingFor != "" && l.To < 0 {
			l.Waited = append(l.Waited, Span{From: l.waitFrom, To: d.t.End, What: l.waitingFor, Open: true})
		}
		for key, from := range l.open {
			s := Span{From: from, To: d.t.End, Open: true}
			if what, ok := cutVerb(key, sched.VerbHas); ok {
				s.What = what
				l.Held = append(l.Held, s)
			} else if what, ok := cutVerb(key, sched.VerbEnters); ok {
				s.What = what
				l.Inside = append(l.Inside, s)
			}
		}
		slices.SortStableFunc(l.Held, bySpan)
		slices.SortStableFunc(l.Inside, bySpan)
		if l.To < 0 {
			l.To = d.t.End
		}
	}
	slices.SortStableFunc(d.t.Locks, func(a, b string) int { return rank(a) - rank(b) })
}

// rank puts the big lock first.
func rank(lock string) int {
	if lock == sched.BigLock {
		return 0
	}
	return 1
}

func bySpan(a, b Span) int {
	if a.From != b.From {
		return a.From - b.From
	}
	if a.To != b.To {
		return b.To - a.To
	}
	if a.What < b.What {
		return -1
	}
	return 1
}

func cutVerb(key, verb string) (what string, ok bool) {
	if len(key) > len(verb) && key[:len(verb)] == verb {
		return key[len(verb)+1:], true
	}
	return "", false
}
