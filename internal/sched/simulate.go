package sched

import (
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

// A Chooser decides which thread of a simulated World runs.
type Chooser interface {
	// Choose picks one of n threads, 0 to n-1, at the at'th choice of the run.
	// If kept is set, 0 is the thread that runs already and could go on, so
	// that anything else pre-empts it.
	Choose(at, n int, kept bool) int
}

// A ThreadChooser is a Chooser that looks at who the threads are. ChooseThread
// is asked in place of Choose, with the threads' identities in the order in
// which Choose would number them.
type ThreadChooser interface {
	Chooser
	ChooseThread(at int, threads []uint64, kept bool) int
}

// A Choice is what a Chooser was asked and answered.
type Choice struct {
	N, Picked uint8
	Kept      bool
}

// Kind is what went wrong in a run.
type Kind string

// The kinds of failure.
const (
	Deadlock Kind = "deadlock"    // threads wait and nothing can wake them
	Livelock Kind = "livelock"    // it does not end
	Broken   Kind = "rule broken" // an assertion, or any other panic
	Leak     Kind = "leak"        // a thread or a held lock is left over
)

// Failure is how a run failed.
type Failure struct {
	Kind  Kind
	Text  string
	Stack string // of a panic
}

// Error says both.
func (f *Failure) Error() string { return string(f.Kind) + ": " + f.Text }

// A Violation is what simulated code panics with to fail the run as a certain
// kind. Any other panic is a broken rule.
type Violation struct {
	Kind Kind
	Text string
}

// Error says both.
func (v Violation) Error() string { return string(v.Kind) + ": " + v.Text }

// Options says how to simulate.
type Options struct {
	Chooser  Chooser
	MaxSteps int  // scheduling points after which a run counts as endless; 0: DefaultMaxSteps
	Log      bool // keep a readable schedule
}

// DefaultMaxSteps is far more than a run of a scenario takes.
const DefaultMaxSteps = 20_000

// An Outcome is how a run went.
type Outcome struct {
	Failure *Failure // nil if all was well
	Choices []Choice
	Steps   int
	Entries []Entry  // with Options.Log: what happened, in order
	Log     []string // with Options.Log: the same as text, a line each
}

// Begin returns the index of the entry that says what begins ([VerbBegins]), 0
// if none does.
func (o *Outcome) Begin() int {
	return max(0, slices.IndexFunc(o.Entries, func(e Entry) bool { return e.Verb == VerbBegins }))
}

// simEpoch is the wall-clock time at which every simulated World begins.
var simEpoch = time.Unix(1_700_000_000, 0)

// Simulate runs body as the first thread ("test") of a simulated World and
// returns once all its threads have ended, or it failed. Runs with equal
// choices are equal. Any number of goroutines may simulate at once. cleanup,
// if not nil, is called at the end of every run, with all threads gone, to
// free what body made outside the World; it must not fail.
func Simulate(o Options, body func(w *World), cleanup func()) (out Outcome) {
	if o.MaxSteps == 0 {
		o.MaxSteps = DefaultMaxSteps
	}
	s := &sim{opts: o}
	s.w = &World{sim: s, epoch: simEpoch}
	s.w.watched.Store(true)
	s.start(s.w.Adopt("test"), func(*Thread) { body(s.w) })
	s.run()
	if s.fail == nil {
		s.check()
	}
	s.unwind()
	if cleanup != nil {
		cleanup()
	}
	return Outcome{Failure: s.fail, Choices: s.choices, Steps: s.steps, Entries: s.log, Log: lines(s.log)}
}

// run is loop with panics of the threads turned into failures.
func (s *sim) run() {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case Violation:
			s.fail = &Failure{Kind: r.Kind, Text: r.Text}
		default:
			s.fail = &Failure{Kind: Broken, Text: fmt.Sprint(r), Stack: string(debug.Stack())}
		}
		if s.fail != nil {
			if s.cur != nil {
				s.cur.ended = true // its stack is gone
			}
			s.note(VerbFails, s.fail.Error())
		}
	}()
	s.loop()
}

// check looks at what a run that came to a stop has left.
func (s *sim) check() {
	body := false
	left := 0
	for _, t := range s.threads {
		if !t.ended {
			left++
			body = body || t.t.name == "test"
		}
	}
	switch {
	case left > 0 && body:
		s.fail = &Failure{Kind: Deadlock, Text: s.stuck()}
	case left > 0:
		s.fail = &Failure{Kind: Leak, Text: s.stuck()}
	default:
		for _, m := range s.mutexes {
			if m.holder != nil {
				s.fail = &Failure{Kind: Leak, Text: fmt.Sprintf("mutex %s is still held by %s", m.name, m.holder.t.name)}
			}
		}
	}
	if s.fail != nil {
		s.note(VerbFails, s.fail.Error())
	}
}
