package sched

import (
	"fmt"
	"strings"
	"time"
)

// An Entry is something that happened in a run of a simulated World.
type Entry struct {
	Step   int    // scheduling points before it
	Choice int    // choices before it
	Time   int64  // virtual, in nanoseconds
	Thread string // who did it; "" for the scheduler
	ID     uint64 // of the thread; names may be given twice
	Verb   string // one of the verbs below, or what a scheduling point says of itself
	What   string // to what
}

// Verbs that tools give a meaning to.
const (
	VerbStarts = "starts"    // the thread starts the thread What
	VerbEnds   = "ends"      // the thread has ended
	VerbWaits  = "waits for" // it cannot go on before What
	VerbHas    = "has"       // it took the lock What
	VerbLets   = "lets go"   // it gave the lock What up
	VerbEnters = "enters"    // it goes into What, a device's emulation say
	VerbLeaves = "leaves"    // and comes out again
	VerbBegins = "begins"    // what went before prepared it
	VerbFails  = "FAILS"     // the run ends here: What
)

// String returns the entry as a line of a schedule.
func (e Entry) String() string {
	who := e.Thread
	if who == "" {
		who = "-"
	}
	line := fmt.Sprintf("%5d %9s  %-14s %s %s", e.Step, time.Duration(e.Time), who, e.Verb, e.What)
	return strings.TrimRight(line, " ")
}

// Quiet reports whether the entry is left out of schedules that are read: the
// taking and giving up of mutexes, which the attempts and waits around them
// tell already.
func (e Entry) Quiet() bool {
	return (e.Verb == VerbHas || e.Verb == VerbLets) && e.What != BigLock
}

// lines returns a schedule as text.
func lines(log []Entry) []string {
	var list []string
	for _, e := range log {
		if !e.Quiet() {
			list = append(list, e.String())
		}
	}
	return list
}

// note adds an entry to the schedule, if somebody wants it.
func (s *sim) note(verb, what string) {
	if s.opts.Log && !s.dead {
		s.noteOf(s.cur, verb, what)
	}
}

func (s *sim) noteOf(t *simThread, verb, what string) {
	e := Entry{Step: s.steps, Choice: len(s.choices), Time: s.now, Verb: verb, What: what}
	if t != nil {
		e.Thread, e.ID = t.t.name, t.t.id
	}
	s.log = append(s.log, e)
}

// BigLock is what entries call the machine's big lock, which is made of
// parkers and tells of itself by [Thread.Note].
const BigLock = "BQL"

// Note adds to the schedule that is being written, if one is, what the thread
// does or what is done to it ([VerbHas] and the name of a lock, say). It is no
// scheduling point. In a real World, and on an adopted thread, it does nothing.
func (t *Thread) Note(verb, what string) {
	if t.sim != nil && t.w.sim.opts.Log && !t.w.sim.dead {
		t.w.sim.noteOf(t.sim, verb, what)
	}
}

// Note is [Thread.Note] for the thread that runs in a simulated World.
func (w *World) Note(verb, what string) {
	if w.sim != nil {
		w.sim.note(verb, what)
	}
}
