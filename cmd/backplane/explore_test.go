package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/scenario"
)

func TestExploreTable(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.html")
	r := runWith("", "explore", "--scenario", "c,H", "--policy", "split,ours", "--runs", "40", "--html", page)
	if r.status != statusOK || r.err != "" {
		t.Fatalf("status %d\n%s%s", r.status, r.out, r.err)
	}
	for _, want := range []string{
		"   split           ours\n",
		"\nC  drain against a busy guest\n   deadlock        fine\n   1 / 0           40\n",
		"   fine            fine\n   2               40\n",
		"C under split: ", "the drain of RCU",
		"   backplane explore --scenario C --policy split --seed -\n",
		" interleavings among them, of ",
		"ok: all 4 cells as expected.\n",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	raw, err := os.ReadFile(page)
	if err != nil || !strings.Contains(string(raw), `id="C-split"`) || strings.Contains(string(raw), `id="C-ours"`) {
		t.Errorf("page: %v, %d bytes", err, len(raw))
	}
}

func TestExploreJSON(t *testing.T) {
	r := runWith("", "explore", "--json", "--scenario", "F", "--runs", "20", "--workers", "1")
	var doc exploreDocument
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil || r.status != statusOK {
		t.Fatalf("status %d, %v\n%s%s", r.status, err, r.out, r.err)
	}
	distinct := 0
	for _, c := range doc.Cells {
		distinct += c.Distinct
	}
	if !doc.OK || len(doc.Cells) != 5 || doc.Distinct != distinct || doc.Runs < distinct {
		t.Fatalf("%+v", doc)
	}
	for _, c := range doc.Cells {
		failed := c.Verdict != string(scenario.Fine)
		if c.Verdict != c.Expected || failed != (c.Failure != "") || failed != (c.Deviations != nil) || c.Runs < 1 || c.Steps < c.Runs {
			t.Errorf("%+v", c)
		}
		if c.Policy == "ours" && c.Distinct != 20 {
			t.Errorf("%+v", c)
		}
	}
}

// A cell that is not as expected is told of, and is the exit status.
func TestExploreUnexpected(t *testing.T) {
	o := exploreOptions{scenarios: []*scenario.Scenario{scenario.Find("F")}, runs: 5, workers: 1}
	var err error
	if o.policies, err = explorePolicies("rfc"); err != nil {
		t.Fatal(err)
	}
	r := &exploreReport{options: o, cells: o.cells()}
	c := r.cells[0]
	c.Verdict = scenario.Deadlocked
	var out strings.Builder
	text := &exploreText{w: &out}
	text.table(r)
	text.summary(r)
	if r.ok() || !strings.Contains(out.String(), "deadlock (!)") || !strings.Contains(out.String(), "not ok: 1 of 1 cell not as expected") {
		t.Errorf("ok %v\n%s", r.ok(), &out)
	}
}

func TestExploreReplay(t *testing.T) {
	page := filepath.Join(t.TempDir(), "run.html")
	r := runWith("", "explore", "--scenario", "C", "--policy", "split", "--seed", "-", "--html", page)
	if r.status != statusFailed || r.err != "" {
		t.Errorf("status %d: %s", r.status, r.err)
	}
	for _, want := range []string{"lines while the machine is built", "begins scenario C", "has BQL", "FAILS deadlock", "\nC under split: deadlock after ",
		"\n   main waits for the drain of RCU\n"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("no %q in\n%s", want, r.out)
		}
	}
	if raw, err := os.ReadFile(page); err != nil || !strings.Contains(string(raw), "waits for ever") {
		t.Errorf("page: %v", err)
	}
	all := runWith("", "explore", "--scenario", "C", "--policy", "split", "--seed", "-", "--setup")
	if len(all.out) <= len(r.out) || strings.Contains(all.out, "--setup prints") {
		t.Errorf("--setup prints no more:\n%s", all.out)
	}
	other := runWith("", "explore", "--scenario", "C", "--policy", "split", "--seed", "80:1")
	if !strings.Contains(other.out, "------ choice 80: thread 1 goes on, of 0 to ") {
		t.Errorf("the deviation is not marked:\n%s", other.out)
	}
	fine := runWith("", "explore", "--scenario", "C", "--policy", "ours", "--seed", "random:3:5")
	if fine.status != statusOK || !strings.Contains(fine.out, "C under ours: fine after ") {
		t.Errorf("status %d\n%s", fine.status, fine.out)
	}
}

func TestExploreRefusals(t *testing.T) {
	for _, c := range []struct{ args, err string }{
		{"--scenario Z", "there is no scenario 'Z'"},
		{"--policy best", "there is no policy 'best'"},
		{"--runs 0", "--runs is from 1"},
		{"--workers 0", "--workers is at least 1"},
		{"A", "'A' is too much"},
		{"--seed 1:1", "--seed needs one --scenario and one --policy"},
		{"--scenario A --policy ours --seed 1:1 --json", "prints a schedule, not JSON"},
		{"--scenario A --policy ours --seed x", "'x' is no schedule"},
		{"--scenario A --policy ours --seed random:1", "is not random:SEED:EVERY"},
		{"--scenario A --policy ours --seed random:1:0", "is not random:SEED:EVERY"},
	} {
		r := runWith("", append([]string{"explore"}, strings.Fields(c.args)...)...)
		if r.status != statusUsage || !strings.Contains(r.err, c.err) || r.out != "" {
			t.Errorf("explore %s: %d %s%s", c.args, r.status, r.out, r.err)
		}
	}
	help := runWith("", "explore", "-h")
	for _, s := range scenario.All() {
		if !strings.Contains(help.out, "  "+s.Letter+"  "+s.Name+"\n") {
			t.Errorf("help does not list %s", s.Letter)
		}
	}
}
