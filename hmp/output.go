package hmp

import "strings"

// output collects what goes to the terminal, with its lines ended by CR LF.
// While the terminal shows something else (its multiplexer's focus is not on
// the monitor), what is written is held back.
type output struct {
	buf []byte
	// deliverable is how much of buf may go out while held is set.
	deliverable int
	held        bool
}

func (o *output) writeString(s string) {
	for {
		line, rest, newline := strings.Cut(s, "\n")
		o.buf = append(o.buf, line...)
		if !newline {
			return
		}
		o.buf = append(o.buf, "\r\n"...)
		s = rest
	}
}

// hold keeps back what is written from now on.
func (o *output) hold() { o.held, o.deliverable = true, len(o.buf) }

// release lets everything go.
func (o *output) release() { o.held = false }

// take hands out what may go to the terminal. The slice is the caller's.
func (o *output) take() []byte {
	if o.held {
		out := o.buf[:o.deliverable:o.deliverable]
		o.buf = append([]byte(nil), o.buf[o.deliverable:]...)
		o.deliverable = 0
		return out
	}
	out := o.buf
	o.buf = nil
	return out
}

// pending is how much take would hand out.
func (o *output) pending() int {
	if o.held {
		return o.deliverable
	}
	return len(o.buf)
}
