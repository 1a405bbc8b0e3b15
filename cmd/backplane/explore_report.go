package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/backplane-vm/backplane/internal/scenario"
	"github.com/backplane-vm/backplane/internal/sched"
)

// exploreReport is what came of an exploration.
type exploreReport struct {
	options exploreOptions
	cells   []*exploreCell // scenario by scenario
	took    time.Duration
}

// ok says whether every cell is as it should be.
func (r *exploreReport) ok() bool {
	for _, c := range r.cells {
		if !c.ok() {
			return false
		}
	}
	return true
}

func (r *exploreReport) runs() (tried, distinct, steps int) {
	for _, c := range r.cells {
		tried += c.Tried
		distinct += c.Distinct
		steps += c.Steps
	}
	return tried, distinct, steps
}

// write prints the report and, if one is wanted, writes the page.
func (r *exploreReport) write(std stdio) error {
	if r.options.html != "" {
		if err := writePage(r.options.html, r.page()); err != nil {
			return err
		}
	}
	if r.options.json {
		return r.writeJSON(std.out)
	}
	t := &exploreText{w: std.out, paint: paint(r.options.color)}
	t.table(r)
	t.failures(r)
	t.summary(r)
	return t.err
}

func writePage(name string, p *scenario.Page) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := p.Write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// The JSON document: one object. Members are added over time, never renamed.
type exploreDocument struct {
	OK      bool    `json:"ok"`
	Seconds float64 `json:"seconds"`
	Runs    int     `json:"runs"`
	// Distinct interleavings, of all cells.
	Distinct int             `json:"distinct"`
	Cells    []exploreRecord `json:"cells"`
}

type exploreRecord struct {
	Scenario string  `json:"scenario"`
	Name     string  `json:"name"`
	Policy   string  `json:"policy"`
	Verdict  string  `json:"verdict"`
	Expected string  `json:"expected"`
	Runs     int     `json:"runs"`
	Distinct int     `json:"distinct"` // interleavings among the runs
	Steps    int     `json:"steps"`    // scheduling points in all runs
	Seconds  float64 `json:"seconds"`
	// Of a failure:
	Failure    string `json:"failure,omitempty"`
	Schedule   string `json:"schedule,omitempty"`   // the shortest found
	Deviations *int   `json:"deviations,omitempty"` // its length
	Replay     string `json:"replay,omitempty"`     // the command that repeats it
}

func (r *exploreReport) writeJSON(w io.Writer) error {
	tried, distinct, _ := r.runs()
	doc := exploreDocument{OK: r.ok(), Seconds: r.took.Seconds(), Runs: tried, Distinct: distinct, Cells: []exploreRecord{}}
	for _, c := range r.cells {
		record := exploreRecord{
			Scenario: c.Scenario.Letter, Name: c.Scenario.Name, Policy: string(c.Policy), Verdict: string(c.Verdict),
			Expected: string(c.Expected()), Runs: c.Tried, Distinct: c.Distinct, Steps: c.Steps, Seconds: c.took.Seconds(),
		}
		if c.Failure != nil {
			deviations := len(c.Schedule)
			record.Failure, record.Schedule, record.Deviations, record.Replay = c.Failure.Text, c.Schedule.String(), &deviations, c.Replay()
		}
		doc.Cells = append(doc.Cells, record)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

// exploreText prints the report for a person.
type exploreText struct {
	w     io.Writer
	paint paint
	err   error // the first of writing
}

func (t *exploreText) print(format string, a ...any) {
	if _, err := fmt.Fprintf(t.w, format, a...); err != nil && t.err == nil {
		t.err = err
	}
}

// exploreColumn is the width of a policy's column.
const exploreColumn = 16

// verdictStyle is how a verdict looks.
func verdictStyle(c *exploreCell) string {
	switch {
	case !c.ok():
		return "1;" + red
	case c.Verdict == scenario.Fine:
		return green
	}
	return red
}

// table prints three lines for each scenario: its name, verdicts, efforts.
func (t *exploreText) table(r *exploreReport) {
	head := "   "
	for _, p := range r.options.policies {
		head += fmt.Sprintf("%-*s", exploreColumn, p)
	}
	t.print("%s\n", t.paint.in(bold, strings.TrimRight(head, " ")))
	cells := r.cells
	for _, s := range r.options.scenarios {
		t.print("\n%s\n", t.paint.in(bold, s.Letter+"  "+s.Name))
		verdicts, efforts := "   ", "   "
		for _, c := range cells[:len(r.options.policies)] {
			text := string(c.Verdict)
			if !c.ok() {
				text += " (!)"
			}
			verdicts += t.paint.in(verdictStyle(c), text) + strings.Repeat(" ", max(1, exploreColumn-len(text)))
			efforts += fmt.Sprintf("%-*s", exploreColumn, c.effort())
		}
		t.print("%s\n%s\n", strings.TrimRight(verdicts, " "), t.paint.in(dim, strings.TrimRight(efforts, " ")))
		cells = cells[len(r.options.policies):]
	}
	t.print("\n%s\n", t.paint.in(dim, "Below a verdict: interleavings tried; after '/' the length of the shortest failing schedule\n"+
		"found, in choices that differ from the plain run's."))
}

// effort says what exploring the cell took.
func (c *exploreCell) effort() string {
	text := grouped(uint64(c.Distinct))
	if c.Failure != nil {
		text += fmt.Sprintf(" / %d", len(c.Schedule))
	}
	return text
}

func (t *exploreText) failures(r *exploreReport) {
	for _, c := range r.cells {
		if c.Failure != nil {
			t.print("\n%s %s\n   %s\n", t.paint.in(bold, fmt.Sprintf("%s under %s:", c.Scenario.Letter, c.Policy)), c.Why(),
				t.paint.in(cyan, c.Replay()))
		}
	}
}

func (t *exploreText) summary(r *exploreReport) {
	tried, distinct, steps := r.runs()
	t.print("\n%s, %s interleavings among them, of %s scheduling points in %.1f s: %s a second.\n", plural(tried, "run"),
		grouped(uint64(distinct)), grouped(uint64(steps)), r.took.Seconds(), grouped(uint64(float64(tried)/max(r.took.Seconds(), 1e-9))))
	if r.options.html != "" {
		t.print("The failing schedules are drawn in %s.\n", r.options.html)
	}
	wrong := 0
	for _, c := range r.cells {
		if !c.ok() {
			wrong++
			t.print("%s %s under %s: %s, and %s was expected\n", t.paint.in(red, "(!)"), c.Scenario.Letter, c.Policy, c.Verdict, c.Expected())
		}
	}
	if wrong > 0 {
		t.print("%s: %d of %s not as expected.\n", t.paint.in(red, "not ok"), wrong, plural(len(r.cells), "cell"))
	} else {
		t.print("%s: all %s as expected.\n", t.paint.in(green, "ok"), plural(len(r.cells), "cell"))
	}
}

// page is the report as a document.
func (r *exploreReport) page() *scenario.Page {
	p := &scenario.Page{Title: "backplane: scenarios under dispatch policies"}
	head := []scenario.PageCell{{}}
	for _, policy := range r.options.policies {
		head = append(head, scenario.PageCell{Text: string(policy)})
	}
	p.Table = append(p.Table, head)
	for i, c := range r.cells {
		if i%len(r.options.policies) == 0 {
			p.Table = append(p.Table, []scenario.PageCell{{Text: c.Scenario.Letter + "  " + c.Scenario.Name}})
		}
		cell := scenario.PageCell{Text: string(c.Verdict), Class: "good", Note: c.effort()}
		if c.Failure != nil {
			cell.Class, cell.Link = "bad", c.Scenario.Letter+"-"+string(c.Policy)
			out := c.Scenario.Simulate(r.options.registry, c.Policy, sched.Options{Chooser: sched.Replay(c.Schedule), Log: true})
			p.Runs = append(p.Runs, pageRun(c.Scenario, &c.Cell, out))
		}
		last := len(p.Table) - 1
		p.Table[last] = append(p.Table[last], cell)
	}
	return p
}

// pageRun is a run as a part of a document.
func pageRun(s *scenario.Scenario, c *scenario.Cell, out sched.Outcome) scenario.PageRun {
	return scenario.PageRun{
		ID: s.Letter + "-" + string(c.Policy), Title: fmt.Sprintf("%s under %s: %s", s.Letter, c.Policy, s.Name), About: s.About,
		Command: c.Replay(), Log: out.Log, Timeline: scenario.NewTimeline(out),
	}
}
