package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/internal/scenario"
	"github.com/backplane-vm/backplane/internal/sched"
)

// exploreReplay makes one run and prints its schedule.
func exploreReplay(o exploreOptions, std stdio) int {
	chooser, err := parseSeed(o.seed)
	if err != nil {
		return refuse(std, "explore", err)
	}
	s, policy := o.scenarios[0], o.policies[0]
	out := s.Simulate(o.registry, policy, sched.Options{Chooser: chooser, Log: true})
	cell := &scenario.Cell{Scenario: s, Policy: policy, Verdict: scenario.VerdictOf(out), Failure: out.Failure, Schedule: sched.ScheduleOf(out.Choices)}
	t := &exploreText{w: std.out, paint: paint(o.color)}
	t.schedule(out, o.setup)
	t.outcome(cell, out)
	if t.err == nil && o.html != "" {
		title := fmt.Sprintf("%s under %s: %s", s.Letter, policy, cell.Verdict)
		t.err = writePage(o.html, &scenario.Page{Title: title, Runs: []scenario.PageRun{pageRun(s, cell, out)}})
	}
	if t.err != nil {
		fmt.Fprintf(std.err, "backplane explore: %v\n", t.err)
		return statusFailed
	}
	if out.Failure != nil {
		return statusFailed
	}
	return statusOK
}

// parseSeed reads what --seed may be: a schedule, or random:SEED:EVERY.
func parseSeed(text string) (sched.Chooser, error) {
	rest, ok := strings.CutPrefix(text, "random:")
	if !ok {
		s, err := sched.ParseSchedule(text)
		if err != nil {
			return nil, fmt.Errorf("'%s' is no schedule", text)
		}
		return sched.Replay(s), nil
	}
	seed, every, _ := strings.Cut(rest, ":")
	n, err1 := strconv.ParseUint(seed, 10, 64)
	e, err2 := strconv.Atoi(every)
	if err1 != nil || err2 != nil || e < 1 {
		return nil, fmt.Errorf("'%s' is not random:SEED:EVERY", text)
	}
	return sched.Random(n, e), nil
}

// threadStyles are the colours of threads, in order of appearance.
var threadStyles = []string{cyan, yellow, green, "35", "34", "36;2", "33;2", "32;2"}

// schedule prints what happened: a line for each entry, and one for each choice
// that sets the run apart from the plain one.
func (t *exploreText) schedule(out sched.Outcome, setup bool) {
	begin := 0
	if !setup {
		begin = out.Begin()
	}
	if begin > 0 {
		t.print("%s\n", t.paint.in(dim, fmt.Sprintf("(%s while the machine is built; --setup prints them)", plural(begin, "line"))))
	}
	t.print("%s\n", t.paint.in(bold, " step      time  thread         what"))
	styles := make(map[string]string)
	deviations := sched.ScheduleOf(out.Choices)
	for i, e := range out.Entries {
		style, ok := styles[e.Thread]
		if !ok && e.Thread != "" {
			style = threadStyles[len(styles)%len(threadStyles)]
			styles[e.Thread] = style
		}
		if i < begin || e.Quiet() {
			continue
		}
		for len(deviations) > 0 && deviations[0].At < e.Choice {
			d := deviations[0]
			t.print("%s\n", t.paint.in(bold, fmt.Sprintf("                 ------ choice %d: thread %d goes on, of 0 to %d", d.At, d.Pick, out.Choices[d.At].N-1)))
			deviations = deviations[1:]
		}
		if e.Verb == sched.VerbFails {
			style = "1;" + red
		}
		t.print("%s\n", t.paint.in(style, e.String()))
	}
}

// outcome prints how a run ended.
func (t *exploreText) outcome(c *scenario.Cell, out sched.Outcome) {
	t.print("\n%s under %s: ", c.Scenario.Letter, c.Policy)
	if out.Failure == nil {
		t.print("%s after %s\n", t.paint.in(green, "fine"), plural(out.Steps, "scheduling point"))
		return
	}
	t.print("%s after %s\n", t.paint.in(red, string(out.Failure.Kind)), plural(out.Steps, "scheduling point"))
	for part := range strings.SplitSeq(out.Failure.Text, "; ") {
		t.print("   %s\n", part)
	}
	if out.Failure.Stack != "" {
		t.stack(out.Failure.Stack)
	}
}

// stack prints where a panic came from, in few lines.
func (t *exploreText) stack(stack string) {
	const most = 40
	lines := strings.Split(strings.TrimSpace(stack), "\n")
	if len(lines) > most {
		lines = append(lines[:most], "...")
	}
	fmt.Fprintln(t.w, t.paint.in(dim, strings.Join(lines, "\n")))
}
