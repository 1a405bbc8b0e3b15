// Package mutanttest runs a package's tests with bugs planted (package
// mutant), each in a process of its own, and wants every one to be found.
package mutanttest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// A Mutant is a bug, and who finds it.
type Mutant struct {
	Name   string // as [mutant.Planted] knows it
	Breaks string // what does not hold with it
	Test   string // -test.run of the tests that have to find it
}

// limits of one run of tests. To hang is not to find: a test that is slow on a
// busy host hangs too.
const (
	soundLimit = 60 * time.Second
	boundLimit = 10 * time.Second
)

// Check runs the tests that list names, without a bug, which they have to pass,
// and with each, which they have to fail. It is to be called by a test called
// TestMutantsAreFound that no Mutant's Test matches.
func Check(t *testing.T, list []Mutant) {
	t.Helper()
	if os.Getenv(mutant.Variable) != "" {
		t.Fatal("a mutant's test matches the check itself")
	}
	sound := make(map[string]bool)
	for _, m := range list {
		if sound[m.Test] {
			continue
		}
		sound[m.Test] = true
		if out, err := run(t, "none", m.Test, soundLimit); err != nil {
			t.Fatalf("%s fails without a bug: %v\n%s", m.Test, err, out)
		}
	}
	w := sched.NewWorld()
	for _, m := range list {
		t.Run(m.Name, func(t *testing.T) {
			began := w.Now()
			out, err := run(t, m.Name, m.Test, boundLimit)
			took := time.Duration(w.Now() - began).Round(time.Millisecond)
			if err == nil {
				t.Fatalf("mutant %s SURVIVES: %s, and %s passes", m.Name, m.Breaks, m.Test)
			}
			if who := hung.FindStringSubmatch(out); who != nil {
				t.Fatalf("mutant %s is not found: %s, and %s hangs after %v", m.Name, m.Breaks, who[1], took)
			}
			t.Logf("mutant %-24s %-58s %s, %v", m.Name, m.Breaks, finder(out, m.Test), took)
		})
	}
}

// run runs tests in a process of their own, with a bug.
func run(t *testing.T, bug, test string, limit time.Duration) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run="+test, "-test.failfast", "-test.v", "-test.timeout="+limit.String())
	cmd.Env = append(os.Environ(), mutant.Variable+"="+bug)
	out, err := cmd.CombinedOutput()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		t.Fatal(err)
	}
	if err == nil && !strings.Contains(string(out), "--- PASS: ") {
		t.Fatalf("%s names no test that runs", test)
	}
	return string(out), err
}

var (
	failed  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	hung    = regexp.MustCompile(`(?m)^\s*running tests:\n\s*(\S+)`)
	started = regexp.MustCompile(`(?m)^=== RUN\s+(\S+)`)
	counted = regexp.MustCompile(`(?:run |after )(\d+)(?:, schedule| interleavings| schedules)`)
)

// finder says which test failed and after how many schedules, if the output of
// a run tells.
func finder(out, test string) string {
	last := func(r *regexp.Regexp) string {
		all := r.FindAllStringSubmatch(out, -1)
		if len(all) == 0 {
			return ""
		}
		return all[len(all)-1][1]
	}
	who, how := last(failed), " fails"
	if who == "" {
		who, how = cmp.Or(last(started), test), " panics"
	}
	if n := counted.FindStringSubmatch(out); n != nil {
		how += fmt.Sprintf(" in schedule %s", n[1])
	}
	return who + how
}
