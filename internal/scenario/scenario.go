package scenario

import (
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/sched"
)

// A Scenario is one of the thread's failures, or one that lies near.
type Scenario struct {
	Letter string // "A"
	Name   string // a few words
	About  string // what happens, and what must not
	Ports  int    // root ports that the lab has
	Run    func(l *Lab)
}

// A Verdict is what exploration says of a scenario under a policy.
type Verdict string

// The verdicts. All but Fine are kinds of failure.
const (
	Fine       Verdict = "fine"
	Reentered  Verdict = Verdict(ReEntered)
	Deadlocked Verdict = Verdict(sched.Deadlock)
	RuleBroken Verdict = Verdict(sched.Broken)
)

// All returns the scenarios in order of their letters.
func All() []*Scenario {
	return []*Scenario{
		scenarioA, scenarioB, scenarioC, scenarioD, scenarioE, scenarioF, scenarioG,
		scenarioH, scenarioI, scenarioJ, scenarioK,
	}
}

// Find returns the scenario with that letter, or nil.
func Find(letter string) *Scenario {
	for _, s := range All() {
		if s.Letter == letter {
			return s
		}
	}
	return nil
}

// Simulate makes one run of the scenario. registry is [virt.NewRegistry]'s,
// shared by any number of runs.
func (s *Scenario) Simulate(registry *qdev.Registry, policy monitor.Policy, o sched.Options) sched.Outcome {
	return sched.Simulate(o, func(w *sched.World) {
		l := newLab(w, registry, policy, s.Ports)
		w.Note(sched.VerbBegins, "scenario "+s.Letter)
		s.Run(l)
		l.close()
	}, nil)
}

// VerdictOf is what a run says.
func VerdictOf(out sched.Outcome) Verdict {
	if out.Failure == nil {
		return Fine
	}
	return Verdict(out.Failure.Kind)
}
