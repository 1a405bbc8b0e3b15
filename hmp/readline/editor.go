// Package readline edits one line of text over a byte stream, the way the
// human monitor of QEMU does: Emacs keys (some more than there) and cursor keys, a
// history, tab completion, and a redraw of the whole line after every change. Lines
// longer than the screen is wide are drawn right where its width is known; QEMU's
// are not. Characters are those of UTF-8, each one column wide.
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
	"unicode/utf8"
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
	// screenWidth is the terminal's width for the candidate table if it is not
	// known.
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

	screen  screen
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
		e.cursor = e.before(e.cursor)
	case keyRight:
		e.cursor = e.after(e.cursor)
	case keyDelete:
		e.cut(e.cursor, e.after(e.cursor))
	case keyBackspace:
		e.cut(e.before(e.cursor), e.cursor)
	case keyTranspose:
		e.transpose()
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
		e.recall(e.history.older(string(e.line)))
	case keyDown:
		e.recall(e.history.newer())
	case keyTab:
		e.tab()
	case keyClear:
		e.write("\x1b[2J\x1b[1;1H")
		e.ShowPrompt()
	case keyAbandon:
		e.abandon()
	}
}

// abandon leaves the line on the screen and begins an empty one.
func (e *Editor) abandon() {
	e.cursor = len(e.line)
	e.redraw()
	e.write("^C")
	e.leaveLine()
	e.Restart()
	e.history.at = none
	e.ShowPrompt()
}

func (e *Editor) finish() string {
	line := string(e.line)
	if !e.secret {
		e.history.add(line)
	}
	e.leaveLine()
	e.Restart()
	e.forgetScreen()
	return line
}

// before is where the character before i begins, after is where the one at i ends;
// at an end of the line they are i.
func (e *Editor) before(i int) int {
	_, n := utf8.DecodeLastRune(e.line[:i])
	return i - n
}

func (e *Editor) after(i int) int {
	_, n := utf8.DecodeRune(e.line[i:])
	return i + n
}

// transpose exchanges the characters around the cursor, at the end of the line the
// two before it.
func (e *Editor) transpose() {
	mid := e.cursor
	if mid == len(e.line) {
		mid = e.before(mid)
	}
	from, to := e.before(mid), e.after(mid)
	if from == mid || to == mid {
		return
	}
	swapped := slices.Concat(e.line[mid:to], e.line[from:mid])
	copy(e.line[from:], swapped)
	e.cursor = to
}

func (e *Editor) insert(b byte) {
	if len(e.line) >= MaxLine {
		return
	}
	e.line = slices.Insert(e.line, e.cursor, b)
	e.cursor++
}

// cut removes line[from:to].
func (e *Editor) cut(from, to int) {
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
