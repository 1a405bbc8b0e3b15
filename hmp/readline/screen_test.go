package readline

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// grid is a terminal of a given width whose rows never end. As on real ones, a
// character in the last column leaves the cursor there until the next one.
type grid struct {
	t       *testing.T
	width   int
	rows    [][]rune
	x, y    int
	pending bool
}

func (g *grid) write(text string) {
	for len(text) > 0 {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			n, i := 0, 0
			for ; rest[i] >= '0' && rest[i] <= '9'; i++ {
				n = n*10 + int(rest[i]-'0')
			}
			g.control(rest[i], max(n, 1))
			text = rest[i+1:]
			continue
		}
		for _, r := range text {
			g.put(r)
			text = text[len(string(r)):]
			break
		}
	}
}

func (g *grid) control(final byte, n int) {
	g.pending = false
	switch final {
	case 'A':
		g.y = max(g.y-n, 0)
	case 'B':
		g.y += n
	case 'C':
		g.x = min(g.x+n, g.width-1)
	case 'D':
		g.x = max(g.x-n, 0)
	case 'K', 'J':
		for x := g.x; x < g.width; x++ {
			g.row(g.y)[x] = ' '
		}
		if final == 'J' {
			g.rows = g.rows[:g.y+1]
		}
	default:
		g.t.Fatalf("an unknown sequence ends in %q", final)
	}
}

func (g *grid) row(y int) []rune {
	for len(g.rows) <= y {
		g.rows = append(g.rows, []rune(strings.Repeat(" ", g.width)))
	}
	return g.rows[y]
}

func (g *grid) put(r rune) {
	switch r {
	case '\r':
		g.x, g.pending = 0, false
		return
	case '\n': // the monitor writes CR LF
		g.x, g.y, g.pending = 0, g.y+1, false
		return
	}
	if g.pending {
		g.x, g.y, g.pending = 0, g.y+1, false
	}
	g.row(g.y)[g.x] = r
	if g.x == g.width-1 {
		g.pending = true
	} else {
		g.x++
	}
}

// check fails unless the rows from top on show prompt and line, and the cursor is
// where it is in the line.
func (g *grid) check(e *Editor, top int) {
	g.t.Helper()
	line, cursor := e.Line()
	text := []rune("> " + line)
	var got []rune
	for y := top; y < len(g.rows); y++ {
		got = append(got, g.rows[y]...)
	}
	if shown := strings.TrimRight(string(got), " "); shown != strings.TrimRight(string(text), " ") {
		g.t.Fatalf("width %d shows %q for %q", g.width, shown, string(text))
	}
	at := len([]rune("> " + line[:cursor]))
	if x, y := at%g.width, top+at/g.width; g.x != x || g.y != y || g.pending {
		g.t.Fatalf("width %d: the cursor is at %d,%d (pending: %v) and belongs at %d,%d of %q", g.width, g.x, g.y, g.pending, x, y, line)
	}
}

// TestWideLines types, moves, kills and completes at random on terminals so narrow
// that lines wrap, and looks at the screen after each key.
func TestWideLines(t *testing.T) {
	keys := []string{
		"a", "b", " ", "é", "世", "longer-word ", "\x01", "\x05", "\x02", "\x06", "\x10", "\x0e", "\x04", "\x7f", "\x17", "\x15", "\x0b",
		"\x19", "\x14", "\x1bb", "\x1bf", "\x1bd", "\t", "\r",
	}
	for _, width := range []int{10, 11, 17, 80} {
		r := rand.New(rand.NewPCG(uint64(width), 1))
		g := &grid{t: t, width: width}
		e := New("> ", g.write, func(line string) (int, []string) {
			return 0, []string{"x1", "x2"}[:1+len(line)%2]
		})
		e.SetColumns(func() int { return width })
		e.ShowPrompt()
		for range 5000 {
			key := keys[r.IntN(len(keys))]
			for i := range len(key) {
				_, done := e.Feed(key[i])
				if done || key == "\t" { // what is above is another test's
					g.rows, g.x, g.y, g.pending = nil, 0, 0, false
					e.ShowPrompt()
					e.redraw()
				}
			}
			g.check(e, 0)
		}
	}
}

// TestLeavesLine: Enter and the list of candidates come below a line of several rows,
// wherever the cursor is in it.
func TestLeavesLine(t *testing.T) {
	for key, below := range map[string]int{"\r": 3, "\t": 4} {
		g := &grid{t: t, width: 10}
		e := New("> ", g.write, func(string) (int, []string) { return 0, []string{"a", "b"} })
		e.SetColumns(func() int { return 10 })
		e.ShowPrompt()
		for _, b := range []byte(strings.Repeat("y", 20) + "\x01" + key) {
			e.Feed(b)
		}
		if g.y < below || !strings.HasPrefix(string(g.rows[2]), "yy ") {
			t.Errorf("%q: row %d, %q", key, g.y, g.rows)
		}
	}
}

func TestColumnsOfScreen(t *testing.T) {
	words := []string{"one", "two", "three"}
	for screen, want := range map[int]string{
		0: "one       two       three     \n", 20: "one       two       \nthree     \n", 3: "one       two       three     \n",
	} {
		if got := columns(words, screen); got != want {
			t.Errorf("%d: %q", screen, got)
		}
	}
}
