package monitor

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
)

// gate is a connection that takes nothing until it is opened.
type gate struct {
	open chan struct{}
	mu   sync.Mutex
	got  bytes.Buffer
}

func (g *gate) Read([]byte) (int, error) { <-g.open; return 0, nil }
func (g *gate) Close() error             { return nil }
func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.got.Write(p)
}

// TestEventsAreDropped: replies wait for a client that does not read, however
// many; events only as far as there is room, and the next one tells of those
// that are lost.
func TestEventsAreDropped(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	o := newOutput(sched.NewWorld(), "test", g)
	big := bytes.Repeat([]byte{'.'}, outputEvents)
	event := func(n int) {
		o.event(func(dst []byte) []byte { return fmt.Appendf(dst, "event %d\n", n) },
			func(dst []byte, n int64) []byte { return fmt.Appendf(dst, "%d lost\n", n) })
	}
	event(1)
	o.write(big)
	o.write([]byte("\nreply\n"))
	if !o.full() {
		t.Error("there is room")
	}
	event(2)
	event(3)
	close(g.open)
	o.waitRoom()
	event(4)
	o.finish()
	o.wait()
	text := strings.ReplaceAll(g.got.String(), ".", "")
	if want := "event 1\n\nreply\n2 lost\nevent 4\n"; text != want {
		t.Errorf("got %q, want %q", text, want)
	}
}
