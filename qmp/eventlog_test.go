package qmp

import (
	"context"
	"errors"
	"testing"
)

func TestEventLogIsBounded(t *testing.T) {
	l := newEventLog()
	for range eventLogSize + 5 {
		l.add(Received{Name: "E"})
	}
	var lost *EventsLostError
	if _, next, err := l.Since(2); !errors.As(err, &lost) || lost.Count != 3 || next != 5 || err.Error() != "qmp: 3 events were lost" {
		t.Errorf("next %d, %v", next, err)
	}
	if _, err := l.Wait(t.Context(), 0, nil); !errors.As(err, &lost) || lost.Next != 5 {
		t.Errorf("Wait: %v", err)
	}
	if events, next, err := l.Since(5); err != nil || len(events) != eventLogSize || next != l.Cursor() {
		t.Errorf("%d events, next %d, %v", len(events), next, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Wait(ctx, l.Cursor(), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %v", err)
	}
	l.close()
	l.add(Received{Name: "late"})
	if _, err := l.Wait(t.Context(), l.Cursor(), nil); !errors.Is(err, ErrClosed) || l.Cursor() != eventLogSize+5 {
		t.Errorf("Wait: %v", err)
	}
}
