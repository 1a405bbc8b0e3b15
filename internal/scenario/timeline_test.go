package scenario

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
)

// toy is two threads that take two locks in opposite orders.
func toy(w *sched.World) {
	var a, b sched.Mutex
	a.Init(w, "a<b>")
	b.Init(w, "b")
	w.Note(sched.VerbBegins, "toy")
	other := w.Go("other", func(t *sched.Thread) {
		t.Note(sched.VerbEnters, "a section")
		defer t.Note(sched.VerbLeaves, "a section")
		b.Lock()
		defer b.Unlock()
		a.Lock()
		defer a.Unlock()
	})
	a.Lock()
	b.Lock()
	w.Point("with both")
	b.Unlock()
	a.Unlock()
	other.Join()
}

// toyRun returns a run of toy that fails, or one that does not.
func toyRun(t *testing.T, fails bool) sched.Outcome {
	t.Helper()
	for seed := range uint64(1000) {
		out := sched.Simulate(sched.Options{Chooser: sched.Random(seed, 2), Log: true}, toy, nil)
		if (out.Failure != nil) == fails {
			return out
		}
	}
	t.Fatal("no such run")
	return sched.Outcome{}
}

func find(t *testing.T, list []Span, what string) Span {
	t.Helper()
	for _, s := range list {
		if s.What == what {
			return s
		}
	}
	t.Fatalf("no %q in %v", what, list)
	return Span{}
}

func TestTimelineOfDeadlock(t *testing.T) {
	tl := NewTimeline(toyRun(t, true))
	if !tl.Stuck || !strings.HasPrefix(tl.Failure, "deadlock: ") || len(tl.Lanes) != 2 {
		t.Fatalf("%+v", tl)
	}
	test, other := tl.Lanes[0], tl.Lanes[1]
	if test.Thread != "test" || other.Thread != "other" {
		t.Fatalf("lanes %q, %q", test.Thread, other.Thread)
	}
	for _, c := range []struct {
		lane         *Lane
		holds, wants string
	}{{test, "a<b>", "mutex b, held by other"}, {other, "b", "mutex a<b>, held by test"}} {
		held, wait := find(t, c.lane.Held, c.holds), find(t, c.lane.Waited, c.wants)
		if !held.Open || !wait.Open || held.To != tl.End || wait.To != tl.End {
			t.Errorf("%s: %+v, %+v", c.lane.Thread, held, wait)
		}
	}
	if inside := find(t, other.Inside, "a section"); !inside.Open {
		t.Errorf("%+v", inside)
	}
}

func TestTimelineOfGoodRun(t *testing.T) {
	out := toyRun(t, false)
	tl := NewTimeline(out)
	if tl.Failure != "" || tl.Stuck {
		t.Fatalf("%+v", tl)
	}
	ran := 0
	for _, l := range tl.Lanes {
		for _, s := range append(append(l.Held, l.Inside...), l.Waited...) {
			if s.Open || s.From > s.To || s.From < l.From || s.To > l.To {
				t.Errorf("%s: %+v in %d to %d", l.Thread, s, l.From, l.To)
			}
		}
		for _, s := range l.Ran {
			ran += s.To - s.From
		}
	}
	if ran != out.Steps {
		t.Errorf("%d of %d points in lanes", ran, out.Steps)
	}
}

// The page is well-formed, needs nothing from elsewhere and runs nothing.
func TestPage(t *testing.T) {
	out := toyRun(t, true)
	p := &Page{
		Title: "a <title>",
		Table: [][]PageCell{{{}, {Text: "nested"}}, {{Text: "A"}, {Text: "deadlock", Note: "3 / 1", Class: "bad", Link: "A-nested"}}},
		Runs:  []PageRun{{ID: "A-nested", Title: "A", About: "<about>", Command: "run --seed 1:2", Log: out.Log, Timeline: NewTimeline(out)}},
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"a &lt;title&gt;", `href="#A-nested"`, `id="A-nested"`, "&lt;about&gt;", "run --seed 1:2",
		"test waits for mutex b, held by other", "holds a&lt;b&gt;", "a section", `class="turn"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in the page", want)
		}
	}
	for _, bad := range []string{"<script", "http:", "https:", "ZgotmplZ", "a<b>"} {
		if strings.Contains(text, bad) {
			t.Errorf("%s in the page", bad)
		}
	}
	svg := text[strings.Index(text, "<svg") : strings.Index(text, "</svg>")+len("</svg>")]
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the drawing is not well-formed: %v", err)
		}
	}
}
