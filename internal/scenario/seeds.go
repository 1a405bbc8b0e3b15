package scenario

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/sched"
)

// A Seed is a failing schedule that is kept.
type Seed struct {
	Scenario *Scenario
	Policy   monitor.Policy
	Verdict  Verdict
	Schedule sched.Schedule
}

// String writes the seed as a line of a file of seeds: letter, policy,
// schedule and verdict.
func (s Seed) String() string {
	return fmt.Sprintf("%s %-9s %-28v %s", s.Scenario.Letter, s.Policy, s.Schedule, s.Verdict)
}

// ReadSeeds reads a file of seeds: a line each, blank ones and those that begin
// with '#' left out.
func ReadSeeds(r io.Reader) ([]Seed, error) {
	var seeds []Seed
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		seed, err := parseSeed(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		seeds = append(seeds, seed)
	}
	return seeds, lines.Err()
}

func parseSeed(line string) (s Seed, err error) {
	words := strings.Fields(line)
	if len(words) < 4 {
		return s, fmt.Errorf("%q is not SCENARIO POLICY SCHEDULE VERDICT", line)
	}
	if s.Scenario = Find(words[0]); s.Scenario == nil {
		return s, fmt.Errorf("there is no scenario %s", words[0])
	}
	if s.Policy, err = monitor.ParsePolicy(words[1]); err != nil {
		return s, err
	}
	if s.Schedule, err = sched.ParseSchedule(words[2]); err != nil {
		return s, err
	}
	s.Verdict = Verdict(strings.Join(words[3:], " "))
	return s, nil
}

// Why says in a line what went wrong, "" if nothing did: of a deadlock, only
// what those threads wait for that are not simply idle.
func (c *Cell) Why() string {
	switch {
	case c.Failure == nil:
		return ""
	case c.Failure.Kind != sched.Deadlock:
		return c.Failure.Text
	}
	var parts []string
	for part := range strings.SplitSeq(c.Failure.Text, "; ") {
		if !strings.HasSuffix(part, " requests") && !strings.HasSuffix(part, " output") && !strings.HasSuffix(part, " callbacks") {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, "; ")
}
