package scenario

import (
	_ "embed"
	"fmt"
	"hash/fnv"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/internal/sched"
)

// A Page is an HTML document about failing schedules, or fine ones: complete in
// itself, without scripts.
type Page struct {
	Title string
	Table [][]PageCell // rows of verdicts, the first one a heading; may be empty
	Runs  []PageRun
}

// A PageCell is a cell of a Page's table.
type PageCell struct {
	Text, Note string
	Class      string // "", "good" or "bad"
	Link       string // to the id of a PageRun
}

// A PageRun is a run that is drawn.
type PageRun struct {
	ID, Title, About string
	Command          string // that repeats it
	Log              []string
	Timeline         *Timeline
}

// Write writes the document.
func (p *Page) Write(w io.Writer) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, p)
}

//go:embed timeline.html
var pageText string

// Sizes of the drawing, in pixels.
const (
	stepWidth  = 7
	laneHeight = 46
	laneTop    = 26 // room for the scale
	barTop     = 17 // of the bar in its lane
	barHeight  = 16
	stripe     = 4 // of a lock that is not the big one
)

// SVG draws the timeline: lanes from the top, scheduling points from the left.
func (t *Timeline) SVG() template.HTML {
	d := &svg{t: t}
	d.begin()
	for i, l := range t.Lanes {
		d.lane(l, laneTop+i*laneHeight)
	}
	d.end()
	return template.HTML(d.b.String()) // every text in it went through escape
}

// Height is that of the drawing, in pixels.
func (t *Timeline) Height() int { return laneTop + len(t.Lanes)*laneHeight + 12 }

// Width is that of the drawing, in pixels.
func (t *Timeline) Width() int { return t.x(t.End) + 60 }

// x is where a scheduling point is. What builds the lab is drawn ten times
// narrower than the scenario.
func (t *Timeline) x(step int) int {
	if step <= t.Begin {
		return 4 + step*stepWidth/10
	}
	return 4 + t.Begin*stepWidth/10 + (step-t.Begin)*stepWidth
}

// Colour is that of a lock.
func (t *Timeline) Colour(lock string) template.CSS {
	if lock == sched.BigLock {
		return "#f2b134"
	}
	h := fnv.New32a()
	fmt.Fprint(h, lock)
	return template.CSS(fmt.Sprintf("hsl(%d 60%% 55%%)", 150+h.Sum32()%180))
}

// svg is a drawing being made.
type svg struct {
	t *Timeline
	b strings.Builder
}

func escape(s string) string { return template.HTMLEscapeString(s) }

func (d *svg) begin() {
	t := d.t
	fmt.Fprintf(&d.b, `<svg width="%d" height="%d" role="img">`, t.Width(), t.Height())
	d.b.WriteString(`<defs><pattern id="wait" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">` +
		`<rect width="6" height="6" class="wb"/><line x1="0" y1="0" x2="0" y2="6" class="wl"/></pattern>` +
		`<pattern id="stuck" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">` +
		`<rect width="6" height="6" class="sb"/><line x1="0" y1="0" x2="0" y2="6" class="sl"/></pattern></defs>`)
	for i, l := range t.Lanes {
		class := "lane"
		if i%2 == 1 {
			class = "lane odd"
		}
		fmt.Fprintf(&d.b, `<rect class="%s" x="0" y="%d" width="%d" height="%d"/>`, class, laneTop+i*laneHeight, t.Width(), laneHeight)
		y := laneTop + i*laneHeight + barTop + barHeight/2
		fmt.Fprintf(&d.b, `<line class="life" x1="%d" y1="%d" x2="%d" y2="%d"/>`, t.x(l.From), y, t.x(l.To), y)
	}
	for step := t.Begin; step <= t.End; step += 10 {
		fmt.Fprintf(&d.b, `<line class="grid" x1="%[1]d" y1="18" x2="%[1]d" y2="%[2]d"/><text class="scale" x="%[1]d" y="13">%[3]d</text>`,
			t.x(step), t.Height()-12, step)
	}
}

// rect draws a span with a text to hover over.
func (d *svg) rect(s Span, y, height int, style, hover string) {
	x := d.t.x(s.From)
	width := d.t.x(s.To) - x
	if width < 1 {
		return
	}
	fmt.Fprintf(&d.b, `<rect x="%d" y="%d" width="%d" height="%d" %s><title>%s</title></rect>`, x, y, width, height, style, escape(hover))
}

func (d *svg) lane(l *Lane, y int) {
	for _, s := range l.Held {
		if s.What == sched.BigLock {
			d.rect(s, y+1, laneHeight-2, `class="bql"`, l.Thread+" holds the big lock")
		}
	}
	for _, s := range l.Inside {
		d.rect(s, y+4, 11, `class="inside"`, l.Thread+" is inside "+s.What)
		if room := (d.t.x(s.To) - d.t.x(s.From)) / 6; room > 3 {
			text := s.What
			if len(text) > room {
				text = text[:room-1] + "…"
			}
			fmt.Fprintf(&d.b, `<text class="what" x="%d" y="%d">%s</text>`, d.t.x(s.From)+3, y+13, escape(text))
		}
	}
	for _, s := range l.Waited {
		class := `fill="url(#wait)"`
		if s.Open && d.t.Stuck {
			class = `fill="url(#stuck)" class="stuck"`
		}
		d.rect(s, y+barTop, barHeight, class, fmt.Sprintf("%s waits for %s (%d to %d)", l.Thread, s.What, s.From, s.To))
	}
	for _, s := range l.Ran {
		d.rect(s, y+barTop, barHeight, `class="ran"`, fmt.Sprintf("%s runs (%d), then %s", l.Thread, s.From, s.What))
	}
	for _, s := range l.Held {
		if s.What != sched.BigLock {
			d.rect(s, y+laneHeight-stripe-5, stripe, fmt.Sprintf(`fill="%s"`, d.t.Colour(s.What)), l.Thread+" holds "+s.What)
		}
	}
	if l.Failed {
		fmt.Fprintf(&d.b, `<circle class="fail" cx="%d" cy="%d" r="7"><title>%s</title></circle>`,
			d.t.x(d.t.End), y+barTop+barHeight/2, escape(d.t.Failure))
	}
}

func (d *svg) end() {
	t := d.t
	if t.Begin > 0 {
		fmt.Fprintf(&d.b, `<line class="begin" x1="%[1]d" y1="4" x2="%[1]d" y2="%[2]d"><title>the machine is built; the scenario begins</title></line>`,
			t.x(t.Begin), t.Height()-12)
	}
	for _, turn := range t.Turns {
		x := t.x(turn.Step)
		fmt.Fprintf(&d.b, `<path class="turn" d="M%d 16 l5 9 h-10 z"><title>choice %d: thread %d of those that can goes on, not thread 0</title></path>`, x, turn.At, turn.Pick)
	}
	if t.Failure != "" {
		fmt.Fprintf(&d.b, `<line class="failure" x1="%[1]d" y1="4" x2="%[1]d" y2="%[2]d"><title>%[3]s</title></line>`,
			t.x(t.End), t.Height()-12, escape(t.Failure))
	}
	d.b.WriteString(`</svg>`)
}

// Legend returns the locks that are worth a line in the legend: those that two
// threads held, the big one apart.
func (t *Timeline) Legend() []string {
	var list []string
	for _, lock := range t.Locks {
		holders := 0
		for _, l := range t.Lanes {
			if slices.ContainsFunc(l.Held, func(s Span) bool { return s.What == lock && s.To > max(s.From, t.Begin) }) {
				holders++
			}
		}
		if lock != sched.BigLock && holders > 1 {
			list = append(list, lock)
		}
	}
	return list
}
