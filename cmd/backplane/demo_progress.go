package main

import (
	"fmt"
	"io"
)

// eraseLine returns to the start of a terminal's line and empties it.
const eraseLine = "\r\x1b[K"

// progress is a line on a terminal that says what is going on. On anything
// else it is silent. One goroutine uses it.
type progress struct {
	w     io.Writer // nil: silent
	label string
	shown bool
}

func newProgress(w io.Writer) *progress {
	if !isTerminal(w) {
		return new(progress)
	}
	return &progress{w: w}
}

// cycle says which of how many is running.
func (p *progress) cycle(n, of int) { p.label = fmt.Sprintf("cycle %d of %d", n, of) }

// waitFor shows what is being waited for.
func (p *progress) waitFor(what string) {
	if p.w == nil {
		return
	}
	text := "waiting for " + what
	if p.label != "" {
		text = p.label + ": " + text
	}
	fmt.Fprintf(p.w, "%s%.78s", eraseLine, text)
	p.shown = true
}

// clear takes the line away, before anything else is printed.
func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.w, eraseLine)
		p.shown = false
	}
}
