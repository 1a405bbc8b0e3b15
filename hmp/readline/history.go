package readline

import "slices"

// none is history.at while the line edited is a new one.
const none = -1

// history holds the lines entered, oldest first, and which of them is shown.
type history struct {
	lines []string
	at    int
	draft string // what was being written when the user went back
}

// add remembers line as the newest. A line already known moves, it is not
// kept twice.
func (h *history) add(line string) {
	h.at = none
	if line == "" {
		return
	}
	if i := slices.Index(h.lines, line); i >= 0 {
		h.lines = slices.Delete(h.lines, i, i+1)
	} else if len(h.lines) == MaxHistory {
		h.lines = slices.Delete(h.lines, 0, 1)
	}
	h.lines = append(h.lines, line)
}

// older steps back in time; at the oldest line it stays there. A new line, what
// is written of it, is kept.
func (h *history) older(written string) (line string, ok bool) {
	switch {
	case len(h.lines) == 0 || h.at == 0:
		return "", false
	case h.at == none:
		h.at, h.draft = len(h.lines), written
	}
	h.at--
	return h.lines[h.at], true
}

// newer steps forward; past the newest line comes the new one, which QEMU has
// forgotten.
func (h *history) newer() (line string, ok bool) {
	if h.at == none {
		return "", false
	}
	h.at++
	if h.at == len(h.lines) {
		h.at = none
		return h.draft, true
	}
	return h.lines[h.at], true
}
