package scenario

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/machine/virt"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/internal/sched/schedtest"
)

var update = flag.Bool("update", false, "write testdata/seeds.txt anew")

const seedsFile = "testdata/seeds.txt"

const seedsHead = `# A failing schedule, shortened, of every cell of the table that fails: scenario,
# policy, schedule (choice:pick), verdict. Schedules count choices, so any change
# of the code that they run makes them another run's. make seeds writes this.
`

// regenerate is what to do when a schedule no longer means what it did.
const regenerate = "; if the code on its path has changed, run make seeds and look at what differs"

func newRegistry(t testing.TB) *qdev.Registry {
	t.Helper()
	registry, err := virt.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

// cell is a scenario under a policy.
type cell struct {
	s *Scenario
	p monitor.Policy
}

func (c cell) String() string { return fmt.Sprintf("%s/%s", c.s.Letter, c.p) }

func cells() (list []cell) {
	for _, s := range All() {
		for _, p := range monitor.Policies() {
			list = append(list, cell{s, p})
		}
	}
	return list
}

// littleRuns is how many interleavings of each cell are tried in every run of
// the tests. backplane explore tries many more.
const littleRuns = 150

// Every cell is as Expect says, after a short exploration.
func TestExpect(t *testing.T) {
	registry := newRegistry(t)
	for _, c := range cells() {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			runs := littleRuns // to find a failure, which ends the exploration
			if c.s.Expected(c.p) == Fine {
				runs = schedtest.Runs(littleRuns)
			}
			got := Explore(context.Background(), registry, c.s, c.p, Budget{Runs: runs})
			if got.Verdict == got.Expected() {
				return
			}
			t.Errorf("%s, want %s, after %d interleavings: %v", got.Verdict, got.Expected(), got.Distinct, got.Failure)
			if got.Failure != nil {
				t.Logf("%s\n%s", got.Replay(), got.Failure.Stack)
			}
		})
	}
}

// Every seed fails as it says; every cell that fails has one.
func TestSeeds(t *testing.T) {
	registry := newRegistry(t)
	if *update {
		writeSeeds(t, registry)
	}
	f, err := os.Open(seedsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seeds, err := ReadSeeds(f)
	if err != nil {
		t.Fatalf("%s: %v", seedsFile, err)
	}
	have := make(map[string]bool)
	for _, seed := range seeds {
		have[cell{seed.Scenario, seed.Policy}.String()] = true
		out := seed.Scenario.Simulate(registry, seed.Policy, sched.Options{Chooser: sched.Replay(seed.Schedule)})
		if got := VerdictOf(out); got != seed.Verdict {
			t.Errorf("%v: %s (%v)%s", seed, got, out.Failure, regenerate)
		}
		if seed.Verdict != seed.Scenario.Expected(seed.Policy) {
			t.Errorf("%v: %s is expected", seed, seed.Scenario.Expected(seed.Policy))
		}
	}
	for _, c := range cells() {
		if c.s.Expected(c.p) != Fine && !have[c.String()] {
			t.Errorf("%s fails under %s and has no seed%s", c.s.Letter, c.p, regenerate)
		}
	}
}

// seedRuns is how long a failure is looked for when seeds are written.
const seedRuns = 20_000

func writeSeeds(t *testing.T, registry *qdev.Registry) {
	var b bytes.Buffer
	b.WriteString(seedsHead)
	for _, c := range cells() {
		if c.s.Expected(c.p) == Fine {
			continue
		}
		got := Explore(context.Background(), registry, c.s, c.p, Budget{Runs: seedRuns})
		if got.Verdict != got.Expected() {
			t.Errorf("%v: %s, want %s", c, got.Verdict, got.Expected())
			continue
		}
		fmt.Fprintln(&b, Seed{c.s, c.p, got.Verdict, got.Schedule})
	}
	if t.Failed() {
		return // nothing is overwritten by half
	}
	if err := os.WriteFile(seedsFile, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

const docs = "../../docs/scenarios"

// Every scenario has a page, and the table of the overview is what Expect says.
func TestPages(t *testing.T) {
	var table strings.Builder
	table.WriteString("| |")
	for _, p := range monitor.Policies() {
		fmt.Fprintf(&table, " %s |", p)
	}
	table.WriteString("\n|---|" + strings.Repeat("---|", len(monitor.Policies())) + "\n")
	for _, s := range All() {
		name := strings.ToLower(s.Letter) + ".md"
		fmt.Fprintf(&table, "| [%s: %s](%s) |", s.Letter, s.Name, name)
		for _, p := range monitor.Policies() {
			mark := map[bool]string{true: "", false: "**"}[s.Expected(p) == Fine]
			fmt.Fprintf(&table, " %s%s%s |", mark, s.Expected(p), mark)
		}
		table.WriteString("\n")
		page, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil || !strings.HasPrefix(string(page), "# "+s.Letter+": ") {
			t.Errorf("no page about %s: %v", s.Letter, err)
		}
	}
	name := filepath.Join(docs, "README.md")
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok1 := strings.Cut(string(raw), "<!-- table -->\n")
	_, tail, ok2 := strings.Cut(rest, "<!-- end -->")
	if !ok1 || !ok2 {
		t.Fatalf("%s has no place for the table", name)
	}
	text := head + "<!-- table -->\n" + table.String() + "<!-- end -->" + tail
	if text == string(raw) {
		return
	}
	if !*update {
		t.Fatalf("the table in %s is out of date: run make seeds", name)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The table has a row for each scenario, and none is in vain: each policy but
// ours fails somewhere, and ours nowhere.
func TestExpectations(t *testing.T) {
	if len(expectations) != len(All()) || len(expectations["A"]) != len(monitor.Policies()) {
		t.Errorf("%d rows of %d columns, %d scenarios, %d policies", len(expectations), len(expectations["A"]), len(All()), len(monitor.Policies()))
	}
	for _, p := range monitor.Policies() {
		failing := 0
		for _, s := range All() {
			if v := s.Expected(p); v == "" {
				t.Errorf("%s under %s has no verdict", s.Letter, p)
			} else if v != Fine {
				failing++
			}
		}
		if (failing == 0) != (p == monitor.Ours) {
			t.Errorf("%s fails in %d scenarios", p, failing)
		}
	}
}

// A run with equal choices is equal, to the last line of its schedule.
func TestDeterministic(t *testing.T) {
	registry := newRegistry(t)
	for _, c := range cells() {
		for seed := range uint64(5) {
			one := c.s.Simulate(registry, c.p, sched.Options{Chooser: sched.Random(seed, 3), Log: true})
			schedule := sched.ScheduleOf(one.Choices)
			two := c.s.Simulate(registry, c.p, sched.Options{Chooser: sched.Replay(schedule), Log: true})
			if VerdictOf(one) != VerdictOf(two) {
				t.Errorf("%v: %s, then %s, of %v", c, VerdictOf(one), VerdictOf(two), schedule)
			}
			for i := range min(len(one.Log), len(two.Log)) {
				if one.Log[i] != two.Log[i] {
					t.Errorf("%v: the replay of %v differs at\n%s\n%s", c, schedule, one.Log[i], two.Log[i])
					break
				}
			}
			if len(one.Log) != len(two.Log) {
				t.Errorf("%v: %d lines, then %d", c, len(one.Log), len(two.Log))
			}
		}
	}
}

func TestReadSeeds(t *testing.T) {
	want := Seed{Find("A"), monitor.RFC, RuleBroken, sched.Schedule{{At: 3, Pick: 1}, {At: 20, Pick: 2}}}
	got, err := ReadSeeds(strings.NewReader("# a remark\n\n" + want.String() + "\nC split - deadlock\n"))
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if got[0].String() != want.String() || got[1].Verdict != Deadlocked || len(got[1].Schedule) != 0 {
		t.Errorf("got %v", got)
	}
	for line, want := range map[string]string{
		"A ours 1:1":       "is not SCENARIO POLICY SCHEDULE VERDICT",
		"Z ours 1:1 fine":  "there is no scenario Z",
		"A best 1:1 fine":  "does not accept value 'best'",
		"A ours 1-1 fine":  "is no schedule",
		"\nA ours x: fine": "line 2: ",
	} {
		if _, err := ReadSeeds(strings.NewReader(line)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", line, err)
		}
	}
}

// An exploration that is told to stop stops.
func TestExploreStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	registry := newRegistry(t)
	got := Explore(ctx, registry, Find("H"), monitor.Ours, Budget{Runs: 1 << 30, Progress: func(int) { cancel() }})
	if got.Tried != progressEvery || got.Verdict != Fine {
		t.Errorf("%d runs, %s", got.Tried, got.Verdict)
	}
}

func BenchmarkSimulate(b *testing.B) {
	registry := newRegistry(b)
	for _, s := range All() {
		b.Run(s.Letter, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Simulate(registry, monitor.Ours, sched.Options{Chooser: sched.Random(uint64(i), 8)})
			}
		})
	}
}

// What ReadSeeds takes it takes again from String.
func FuzzReadSeeds(f *testing.F) {
	f.Add("A nested 97:2 re-entered\n# remark\nC split - deadlock\n")
	f.Add("B ours 1:1,2:3 rule broken")
	f.Fuzz(func(t *testing.T, text string) {
		seeds, err := ReadSeeds(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, s := range seeds {
			again, err := ReadSeeds(strings.NewReader(s.String()))
			if err != nil || len(again) != 1 || again[0].String() != s.String() {
				t.Errorf("%q: %v, %v", s, again, err)
			}
		}
	})
}
