package measure

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/backplane-vm/backplane/guest/demo"
)

// ErrLogEnded is what waiting for a line answers once the console has ended.
var ErrLogEnded = errors.New("the guest's console has ended")

const (
	// logSize is how many lines a Log keeps: two hundred plugs' worth, more
	// than anybody who waits for a line lets pass.
	logSize = 4096
	// maxFailures is how many lines that tell of a failure are kept: the first
	// ones say what went wrong.
	maxFailures = 16
)

// An Entry is a line of the guest's log, in terms of the caller's clock.
type Entry struct {
	demo.Line
	Arrived int64 // when its end came out of the console
	// Time is when the guest said it: its own time, moved so that the line
	// that came through fastest arrived at once. It is later than the truth by
	// what the console takes then, some ten microseconds, and not by the lines
	// in front and the host's scheduling, as Arrived is.
	Time int64
}

// A Log reads the demo guest's console: it is an io.Writer for the console's
// bytes and lets goroutines wait for lines. Lines that are not of the log's
// form are passed over. All methods may be called from any goroutine; Write
// does not block.
type Log struct {
	clock Clock

	mu       sync.Mutex
	partial  []byte
	offset   int64   // from the guest's time to the clock's, once there is a line: none arrived sooner
	entries  []Entry // the latest; entries[0] is number first
	first    int
	failures []demo.Line
	changed  chan struct{} // closed, and replaced, when a line comes
	ended    bool          // none will come any more; changed stays closed
}

// NewLog returns an empty Log.
func NewLog(clock Clock) *Log { return &Log{clock: clock, changed: make(chan struct{})} }

// Write takes bytes of the console. It never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, now := len(p), l.clock()
	for {
		line, rest, whole := bytes.Cut(p, []byte{'\n'})
		if len(l.partial) <= demo.LineMax { // what is longer is no line of ours
			l.partial = append(l.partial, line...)
		}
		if !whole {
			return n, nil
		}
		l.addLocked(string(l.partial), now)
		l.partial, p = l.partial[:0], rest
	}
}

func (l *Log) addLocked(text string, now int64) {
	line, err := demo.ParseLine(text)
	if err != nil || l.ended {
		return
	}
	if line.Failed() && len(l.failures) < maxFailures {
		l.failures = append(l.failures, line)
	}
	if offset := now - int64(line.At); len(l.entries) == 0 || line.Event == demo.EventBoot || offset < l.offset {
		l.offset = offset
	}
	if len(l.entries) >= 2*logSize {
		l.first += logSize
		l.entries = append(l.entries[:0], l.entries[logSize:]...)
	}
	l.entries = append(l.entries, Entry{Line: line, Arrived: now})
	close(l.changed)
	l.changed = make(chan struct{})
}

// End tells that the console has ended: waiting for a line fails from now on.
func (l *Log) End() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		l.ended = true
		close(l.changed)
	}
}

func (l *Log) timedLocked(e Entry) Entry {
	e.Time = int64(e.At) + l.offset
	return e
}

// Retime sets the Time of entries by what is known now: each line that comes
// may tell the distance between the clocks better.
func (l *Log) Retime(entries ...*Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if e.Event != "" {
			*e = l.timedLocked(*e)
		}
	}
}

// Cursor returns the place behind the latest line, for Wait and Since.
func (l *Log) Cursor() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first + len(l.entries)
}

// Failures returns the first lines that told of something gone wrong.
func (l *Log) Failures() []demo.Line {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]demo.Line(nil), l.failures...)
}

// Since returns the lines behind cursor that match and are still kept.
func (l *Log) Since(cursor int, match func(demo.Line) bool) []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []Entry
	for _, e := range l.entries[min(max(cursor-l.first, 0), len(l.entries)):] {
		if match(e.Line) {
			found = append(found, l.timedLocked(e))
		}
	}
	return found
}

// Wait returns the first line behind cursor that matches, as soon as it has
// come. It fails with ctx's cause or [ErrLogEnded].
func (l *Log) Wait(ctx context.Context, cursor int, match func(demo.Line) bool) (Entry, error) {
	for {
		l.mu.Lock()
		changed, ended := l.changed, l.ended
		for at := max(cursor-l.first, 0); at < len(l.entries); at++ {
			if e := l.entries[at]; match(e.Line) {
				e = l.timedLocked(e)
				l.mu.Unlock()
				return e, nil
			}
		}
		cursor = l.first + len(l.entries)
		l.mu.Unlock()
		if ended {
			return Entry{}, ErrLogEnded
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Entry{}, context.Cause(ctx)
		}
	}
}

// Ready waits until the guest has found its ports and its interrupts are on.
func (l *Log) Ready(ctx context.Context) (Entry, error) {
	return l.Wait(ctx, 0, func(line demo.Line) bool { return line.Event == demo.EventReady })
}
