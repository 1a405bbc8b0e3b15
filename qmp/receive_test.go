package qmp

import (
	"bytes"
	"io"
	"testing"
)

// said is a connection to a server that has said all it will ever say.
type said struct{ io.Reader }

func (said) Write(p []byte) (int, error) { return len(p), nil }
func (said) Close() error                { return nil }

// FuzzReceive: whatever a server says, the reading side ends with an error and
// does not panic, and hands out no reply to what was not asked.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"QMP": {"capabilities": ["oob"]}}` + "\r\n" + `{"return": {}, "id": 1}`))
	f.Add([]byte(`{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}{"event": "A", "data": []}`))
	f.Add([]byte(`{"error": {"class": "C", "desc": "d"}, "id": 1}{"error": 1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c := newClient(said{bytes.NewReader(data)})
		call := &pendingCall{came: make(chan struct{}), place: c.inBand}
		c.inBand <- struct{}{}
		c.pending[1] = call
		c.read()
		if c.Err() == nil {
			t.Fatal("reading ended without an error")
		}
		if answered := call.reply != nil; answered != (len(c.pending) == 0) || answered != (len(c.inBand) == 0) {
			t.Fatalf("answered %v, %d calls pending, %d places taken", answered, len(c.pending), len(c.inBand))
		}
	})
}
