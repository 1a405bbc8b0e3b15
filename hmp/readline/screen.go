package readline

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// screen is what the terminal shows behind the prompt.
type screen struct {
	line    []byte     // as last drawn
	cursor  int        // the terminal's, in columns from the end of the prompt
	columns func() int // how wide it is; nil or 0 for not known
}

// SetColumns says where to ask how wide the terminal is, before each drawing. The
// answer 0 is for not known; without it nothing is known.
func (e *Editor) SetColumns(columns func() int) { e.screen.columns = columns }

// width is how many columns the terminal has, 0 if that is not known.
func (e *Editor) width() int {
	if e.screen.columns == nil {
		return 0
	}
	return max(e.screen.columns(), 0)
}

// forgetScreen records that the terminal stands right behind a prompt.
func (e *Editor) forgetScreen() {
	e.screen.line, e.screen.cursor = e.screen.line[:0], 0
}

// columnsOf is how many columns text takes.
func columnsOf(text []byte) int { return utf8.RuneCount(text) }

// redraw brings the screen up to the line and the cursor. A changed line is drawn
// whole, because that needs nothing of the terminal but "cursor left" and "erase to
// the end". In the middle of a character it waits for the rest.
func (e *Editor) redraw() {
	if tail := e.line[:e.cursor]; !wholeRunes(tail) {
		return
	}
	width := e.wraps(e.line)
	if !slices.Equal(e.line, e.screen.line) {
		e.move(0, width)
		if e.secret {
			e.write(strings.Repeat("*", columnsOf(e.line)))
		} else {
			e.write(string(e.line))
		}
		e.screen.line = append(e.screen.line[:0], e.line...)
		e.screen.cursor = columnsOf(e.line)
		switch {
		case width == 0:
			e.write("\x1b[K")
		case e.column(e.screen.cursor)%width == 0: // the terminal waits at the margin
			e.write("\n\x1b[J")
		default:
			e.write("\x1b[J")
		}
	}
	e.move(columnsOf(e.line[:e.cursor]), width)
}

// wraps returns the terminal's width if line, or the one that is shown, takes more
// than a row; else 0.
func (e *Editor) wraps(line []byte) int {
	width := e.width()
	if e.column(max(columnsOf(line), columnsOf(e.screen.line))) < width {
		return 0
	}
	return width
}

// column is the column of the screen, counted on from row to row, that is n behind
// the prompt.
func (e *Editor) column(n int) int { return utf8.RuneCountInString(e.prompt) + n }

// move puts the terminal's cursor n columns behind the prompt; width is as wraps
// returned it.
func (e *Editor) move(n, width int) {
	from := e.screen.cursor
	e.screen.cursor = n
	switch {
	case n == from:
	case width == 0 && n > from:
		e.write(strings.Repeat("\x1b[C", n-from))
	case width == 0:
		e.write(strings.Repeat("\x1b[D", from-n))
	default:
		at, to := e.column(from), e.column(n)
		if rows := to/width - at/width; rows > 0 {
			e.write(fmt.Sprintf("\x1b[%dB", rows))
		} else if rows < 0 {
			e.write(fmt.Sprintf("\x1b[%dA", -rows))
		}
		e.write("\r")
		if to%width > 0 {
			e.write(fmt.Sprintf("\x1b[%dC", to%width))
		}
	}
}

// leaveLine goes to the row below the line.
func (e *Editor) leaveLine() {
	if width := e.wraps(e.line); width > 0 {
		e.move(columnsOf(e.screen.line), width)
	}
	e.write("\n")
}

// wholeRunes reports whether text does not end in the middle of a character.
func wholeRunes(text []byte) bool {
	for i := len(text) - 1; i >= 0 && i >= len(text)-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			return utf8.FullRune(text[i:])
		}
	}
	return true
}
