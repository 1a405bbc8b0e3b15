package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane"
	"github.com/backplane-vm/backplane/internal/measure"
	"golang.org/x/term"
)

// paint says whether text is coloured.
type paint bool

// The styles, as ANSI SGR parameters.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (p paint) in(style, text string) string {
	if !p || style == "" {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[0m"
}

// colorful says whether w is a terminal that may be coloured (no-color.org).
func colorful(w io.Writer) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && isTerminal(w)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// demoText prints the demo for a person.
type demoText struct {
	w        io.Writer
	paint    paint
	progress *progress
	err      error // the first of writing
}

func (t *demoText) print(format string, a ...any) {
	t.progress.clear()
	if _, err := fmt.Fprintf(t.w, format, a...); err != nil && t.err == nil {
		t.err = err
	}
}

func (t *demoText) begin(r *demoReport) {
	t.print("%s: riscv64 virt, %s, 128 MiB, in this process; QMP over a unix socket\n",
		t.paint.in(bold, "backplane "+backplane.Version), plural(r.options.harts, "hart"))
	t.print("The guest was up after %s ms. A second disk stays in and keeps it busy.\n", ms(r.bootTook))
}

// cycle prints a cycle: the first at length, the others in a line.
func (t *demoText) cycle(number int, c *measure.Cycle) {
	if number == 1 {
		t.timeline(c)
		t.print("\n%s %s\n", t.paint.in(bold, "Each cycle"), t.paint.in(dim, "(ms)"))
		t.print("%s\n", t.paint.in(dim, header("cycle")+"   checksums"))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%7d", number)
	for _, p := range measure.Phases() {
		fmt.Fprintf(&b, "%*s", width(p), ms(p.Of(c)))
	}
	verdict := t.paint.in(green, "held")
	if c.Confirmed() != nil {
		verdict = t.paint.in(red, "FAILED")
	}
	t.print("%s   %s\n", &b, verdict)
}

// timeline prints every step of a cycle.
func (t *demoText) timeline(c *measure.Cycle) {
	t.print("\n%s %s\n", t.paint.in(bold, "The first cycle"), t.paint.in(dim, "(ms since the first request, and since the step before)"))
	styles := map[actor]string{byClient: cyan, byMachine: yellow, byGuest: green}
	last := c.AddNode.Asked
	for _, s := range demoSteps(c) {
		t.print("%9s %s  %s  %s\n", ms(s.at-c.AddNode.Asked), t.paint.in(dim, fmt.Sprintf("%8s", "+"+ms(s.at-last))),
			t.paint.in(styles[s.who], fmt.Sprintf("%-7s", s.who)), s.what)
		last = s.at
	}
}

// width is that of a phase's column.
func width(p measure.Phase) int { return max(len(p.Name), 7) + 2 }

// header is the line above a table of phases.
func header(first string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%7s", first)
	for _, p := range measure.Phases() {
		fmt.Fprintf(&b, "%*s", width(p), p.Name)
	}
	return b.String()
}

func (t *demoText) summary(r *demoReport) {
	if r.broken != nil && len(r.cycles) == 0 {
		t.timeline(r.broken)
	}
	if len(r.cycles) > 0 {
		t.phases(r)
	}
	t.machine(r)
	problems := r.problems()
	for _, p := range problems {
		t.print("%s %s\n", t.paint.in(red, "FAILED"), p)
	}
	if r.options.keep != "" {
		t.print("The disks and the guest's log are in %s.\n", r.options.keep)
	}
	verdict := fmt.Sprintf("%d of %s confirmed by the guest", r.confirmed(), plural(r.options.cycles, "cycle"))
	if r.ok() {
		t.print("%s: %s in %s ms, every checksum held.\n", t.paint.in(green, "ok"), verdict, ms(r.took))
	} else {
		t.print("%s: %s, %s.\n", t.paint.in(red, "not ok"), verdict, plural(len(problems), "problem"))
	}
}

// phases prints what the phases took over all cycles.
func (t *demoText) phases(r *demoReport) {
	t.print("%s\n", t.paint.in(dim, strings.Repeat("-", len(header("")))))
	for _, row := range []struct {
		name string
		of   func(measure.Stat) float64
	}{
		{"median", func(s measure.Stat) float64 { return s.Median }},
		{"min", func(s measure.Stat) float64 { return s.Min }},
		{"max", func(s measure.Stat) float64 { return s.Max }},
	} {
		var b strings.Builder
		fmt.Fprintf(&b, "%7s", row.name)
		for _, p := range measure.Phases() {
			fmt.Fprintf(&b, "%*s", width(p), ms(int64(row.of(r.stat(p)))))
		}
		t.print("%s\n", &b)
	}
	t.print("\n")
	for _, p := range measure.Phases() {
		t.print("%s\n", t.paint.in(dim, fmt.Sprintf("%14s: %s", p.Name, p.About)))
	}
}

// machine prints what the machine and the host say.
func (t *demoText) machine(r *demoReport) {
	line := func(what, format string, a ...any) {
		t.print("%s  %s\n", t.paint.in(bold, fmt.Sprintf("%-9s", what)), fmt.Sprintf(format, a...))
	}
	s := r.stats
	t.print("\n")
	line("disk", "%v (checked by the host)", r.disk)
	line("2nd disk", "%v", r.busy)
	if io := r.busyIO; io.Event != "" {
		line("", "the guest did %s reads and %s writes on it, %s errors", io.Get("reads"), io.Get("writes"), io.Get("errors"))
	}
	line("big lock", "held %s ms at most, for %s; taken %s times; %s waits, %s ms at most",
		ms(s.BQLLongestHold), orNothing(s.BQLHolder), grouped(s.BQLAcquired), grouped(s.BQLContended), ms(s.BQLLongestWait))
	line("rcu", "%s grace periods", grouped(s.GracePeriods))
	line("guest", "%s instructions in %s ms: %.0f million a second, idle time counted", grouped(s.Instructions), ms(r.took), r.mips())
	t.print("\n")
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// ms is a time in milliseconds, to the microsecond.
func ms(ns int64) string { return strconv.FormatFloat(float64(ns)/1e6, 'f', 3, 64) }

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// grouped writes a number with a comma between thousands.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
