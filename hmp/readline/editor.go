// Package readline edits one line of text over a byte stream, the way the
// human monitor of QEMU does: Emacs keys (some more than there) and cursor keys, a
// history, tab completion, and a redraw of the whole line after every change.
//
// It is a state machine: bytes go in by Feed, bytes for the screen come out
// through the function given to New, and nothing else happens. It starts no
// goroutines, takes no locks, never blocks, and an Editor belongs to whoever
// feeds it. What is written ends its lines in a bare newline; turning that
// into CR LF is the terminal owner's part.
package readline

import (
	"slices"
	"strings"
)

const (
	// MaxLine is the longest line, in bytes. What is typed past it is
	// dropped, as in QEMU, where the buffer has this size.
	MaxLine = 4095
	// MaxHistory is how many lines are remembered; the oldest goes first.
	MaxHistory = 64
	// MaxCompletions is how many candidates one Tab shows; later ones are
	// dropped, so that a huge device list cannot flood the terminal.
	MaxCompletions = 256
	// screenWidth is the terminal width assumed for the candidate table.
	screenWidth = 80
	// minColumn is the narrowest column of that table.
	minColumn = 10
)

// Completer proposes ways to go on. It gets the line up to the cursor and
// returns the length in bytes of the word that is being completed and full
// words that begin with it, in any order, duplicates allowed.
type Completer func(line string) (typed int, words []string)

// Editor is one line being edited, and its history.
type Editor struct {
	write    func(string)
	complete Completer

	prompt string
	secret bool

	line   []byte
	cursor int // byte index into line
	killed []byte

	shown       []byte // the line as last drawn
	shownCursor int    // the terminal's cursor, in bytes from the prompt

	keys    decoder
	history history
}

// New returns an editor that draws through write and completes through
// complete, which may be nil. It draws nothing until ShowPrompt or Feed.
func New(prompt string, write func(string), complete Completer) *Editor {
	return &Editor{write: write, complete: complete, prompt: prompt, history: history{at: none}}
}

// SetPrompt replaces the prompt that the next ShowPrompt draws. While secret
// is set, stars are drawn for the line and it does not enter the history.
func (e *Editor) SetPrompt(prompt string, secret bool) {
	e.prompt, e.secret = prompt, secret
}

// Restart empties the line without drawing.
func (e *Editor) Restart() {
	e.line, e.cursor = e.line[:0], 0
}

// ShowPrompt draws the prompt and takes the rest of the screen line as blank;
// a line that is being edited appears with the next byte fed.
func (e *Editor) ShowPrompt() {
	e.write(e.prompt)
	e.forgetScreen()
	e.keys = decoder{}
}

// History returns the remembered lines, oldest first. The slice is the
// caller's.
func (e *Editor) History() []string { return slices.Clone(e.history.lines) }

// Line returns the line as edited so far and the cursor's byte index.
func (e *Editor) Line() (line string, cursor int) { return string(e.line), e.cursor }

// Feed takes one byte from the terminal. When it ends a line, Feed returns the
// line and true, and the editor stands at the start of an empty one.
func (e *Editor) Feed(b byte) (line string, done bool) {
	key, char := e.keys.next(b)
	if key == keyEnter {
		line, done = e.finish(), true
	} else {
		e.press(key, char)
	}
	e.redraw()
	return line, done
}

func (e *Editor) press(key key, char byte) {
	switch key {
	case keyChar:
		e.insert(char)
	case keyHome:
		e.cursor = 0
	case keyEnd:
		e.cursor = len(e.line)
	case keyLeft:
		e.cursor = max(e.cursor-1, 0)
	case keyRight:
		e.cursor = min(e.cursor+1, len(e.line))
	case keyDelete:
		e.cut(e.cursor, e.cursor+1)
	case keyBackspace:
		e.cut(e.cursor-1, e.cursor)
	case keyKillWord:
		e.kill(e.wordStart(), e.cursor)
	case keyKillNextWord:
		e.kill(e.cursor, e.wordEnd())
	case keyKillLine:
		e.kill(0, e.cursor)
	case keyKillRest:
		e.kill(e.cursor, len(e.line))
	case keyYank:
		for _, b := range e.killed {
			e.insert(b)
		}
	case keyWordLeft:
		e.cursor = e.wordStart()
	case keyWordRight:
		e.cursor = e.wordEnd()
	case keyUp:
		e.recall(e.history.older())
	case keyDown:
		e.recall(e.history.newer())
	case keyTab:
		e.tab()
	case keyClear:
		e.write("\x1b[2J\x1b[1;1H")
		e.ShowPrompt()
	}
}

func (e *Editor) finish() string {
	line := string(e.line)
	if !e.secret {
		e.history.add(line)
	}
	e.write("\n")
	e.Restart()
	e.forgetScreen()
	return line
}

func (e *Editor) insert(b byte) {
	if len(e.line) >= MaxLine {
		return
	}
	e.line = slices.Insert(e.line, e.cursor, b)
	e.cursor++
}

// cut removes line[from:to], as far as that lies inside the line.
func (e *Editor) cut(from, to int) {
	if from < 0 || to > len(e.line) {
		return
	}
	e.line = slices.Delete(e.line, from, to)
	e.cursor = from
}

// kill is cut that Ctrl-Y can take back.
func (e *Editor) kill(from, to int) {
	if from < to && !e.secret {
		e.killed = append(e.killed[:0], e.line[from:to]...)
	}
	e.cut(from, to)
}

// wordEnd is where the word behind the cursor ends, blanks before it included.
func (e *Editor) wordEnd() int {
	i := e.cursor
	for i < len(e.line) && isBlank(e.line[i]) {
		i++
	}
	for i < len(e.line) && !isBlank(e.line[i]) {
		i++
	}
	return i
}

// wordStart is where the word before the cursor begins, blanks behind it
// included.
func (e *Editor) wordStart() int {
	i := e.cursor
	for i > 0 && isBlank(e.line[i-1]) {
		i--
	}
	for i > 0 && !isBlank(e.line[i-1]) {
		i--
	}
	return i
}

func isBlank(b byte) bool { return strings.IndexByte(" \t\n\v\f\r", b) >= 0 }

func (e *Editor) recall(line string, ok bool) {
	if ok {
		e.line = append(e.line[:0], line...)
		e.cursor = len(e.line)
	}
}

// forgetScreen records that the terminal stands right behind a prompt.
func (e *Editor) forgetScreen() {
	e.shown, e.shownCursor = e.shown[:0], 0
}

// redraw brings the screen up to the line and the cursor. A changed line is
// drawn whole, because that needs nothing of the terminal but "cursor left"
// and "erase to the end".
func (e *Editor) redraw() {
	if !slices.Equal(e.line, e.shown) {
		e.write(strings.Repeat("\x1b[D", e.shownCursor))
		if e.secret {
			e.write(strings.Repeat("*", len(e.line)))
		} else {
			e.write(string(e.line))
		}
		e.write("\x1b[K")
		e.shown = append(e.shown[:0], e.line...)
		e.shownCursor = len(e.line)
	}
	if d := e.cursor - e.shownCursor; d > 0 {
		e.write(strings.Repeat("\x1b[C", d))
	} else if d < 0 {
		e.write(strings.Repeat("\x1b[D", -d))
	}
	e.shownCursor = e.cursor
}
