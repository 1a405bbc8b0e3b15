package qmp

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// eventLogSize is how many events a client keeps. It is far more than a
// command causes, and a reader this far behind has lost track anyway; together
// with the size of an event it bounds the memory of a client nobody reads.
const eventLogSize = 1024

// A Cursor is a place between two events of an [EventLog]: the number of
// events that came before it. 0 is before the first.
type Cursor uint64

// Received is an event as a client has received it.
type Received struct {
	Name string
	Data *qobject.Dict // nil without data
	Time Timestamp
	Next Cursor // the place behind this event
}

// EventsLostError tells that events were dropped before they were looked at,
// because more than the log holds came in between.
type EventsLostError struct {
	Count uint64 // how many
	Next  Cursor // the oldest place there still is, to go on from
}

// Error says how many events were lost.
func (e *EventsLostError) Error() string {
	return fmt.Sprintf("qmp: %d events were lost", e.Count)
}

// EventLog keeps the latest events of a connection in order. Readers hold a
// [Cursor] each and do not disturb one another. An event is in the log before
// any reply that came behind it is handed out; therefore whoever takes a
// cursor, runs a command and reads from the cursor misses nothing the command
// caused, in whichever order event and reply come.
//
// All methods may be called from any goroutine.
type EventLog struct {
	mu      sync.Mutex
	ring    [eventLogSize]Received
	end     Cursor        // how many events have come
	changed chan struct{} // closed, and replaced, when one comes
	closed  bool          // none will come any more; changed stays closed
}

func newEventLog() *EventLog { return &EventLog{changed: make(chan struct{})} }

// Cursor returns the place behind the latest event.
func (l *EventLog) Cursor() Cursor {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.end
}

// Since returns the events behind cursor that have come so far, and the place
// behind them. It does not block. The error is an *[EventsLostError] if there
// is a gap between cursor and the oldest event kept.
func (l *EventLog) Since(cursor Cursor) ([]Received, Cursor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.gapLocked(cursor); err != nil {
		return nil, err.Next, err
	}
	var events []Received
	for c := cursor; c < l.end; c++ {
		events = append(events, l.ring[c%eventLogSize])
	}
	return events, l.end, nil
}

// From iterates over the events behind cursor, waiting for those to come. It
// ends after an error: ctx's, *[EventsLostError], or [ErrClosed] when the
// connection is gone and every event has been seen.
func (l *EventLog) From(ctx context.Context, cursor Cursor) iter.Seq2[Received, error] {
	return func(yield func(Received, error) bool) {
		for {
			ev, err := l.next(ctx, cursor)
			if !yield(ev, err) || err != nil {
				return
			}
			cursor = ev.Next
		}
	}
}

// Wait returns the first event behind cursor for which match is true (a nil
// match takes any). Its errors are those of From.
func (l *EventLog) Wait(ctx context.Context, cursor Cursor, match func(Received) bool) (Received, error) {
	for ev, err := range l.From(ctx, cursor) {
		if err != nil {
			return Received{}, err
		}
		if match == nil || match(ev) {
			return ev, nil
		}
	}
	panic("unreachable: From ends with an error")
}

// next returns the event behind cursor as soon as there is one.
func (l *EventLog) next(ctx context.Context, cursor Cursor) (Received, error) {
	for {
		l.mu.Lock()
		gap, changed, closed := l.gapLocked(cursor), l.changed, l.closed
		if gap == nil && cursor < l.end {
			ev := l.ring[cursor%eventLogSize]
			l.mu.Unlock()
			return ev, nil
		}
		l.mu.Unlock()
		switch {
		case gap != nil:
			return Received{}, gap
		case closed:
			return Received{}, ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Received{}, context.Cause(ctx)
		}
	}
}

// gapLocked returns an error if the event behind cursor is kept no more.
func (l *EventLog) gapLocked(cursor Cursor) *EventsLostError {
	if cursor+eventLogSize >= l.end {
		return nil
	}
	oldest := l.end - eventLogSize
	return &EventsLostError{Count: uint64(oldest - cursor), Next: oldest}
}

// add appends an event, unless the connection is closed.
func (l *EventLog) add(ev Received) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	ev.Next = l.end + 1
	l.ring[l.end%eventLogSize] = ev
	l.end++
	close(l.changed)
	l.changed = make(chan struct{})
}

// close wakes every reader for good.
func (l *EventLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		close(l.changed)
	}
}
