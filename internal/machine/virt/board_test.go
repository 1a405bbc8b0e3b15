package virt_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/machine/virt"
)

// console collects what the guest prints and lets a test wait for a text.
type console struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func newConsole() *console { return &console{more: make(chan struct{}, 1)} }

func (c *console) Connect(virt.Port) {}
func (c *console) Resume()           {}
func (c *console) Send(b byte) bool {
	c.mu.Lock()
	c.text.WriteByte(b)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
	return true
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

func (c *console) await(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !strings.Contains(c.String(), want) {
		select {
		case <-c.more:
		case <-deadline:
			t.Fatalf("the guest never said %q; it said:\n%s", want, c)
		}
	}
}

func TestDemoGuestBootsStopsAndResets(t *testing.T) {
	registry, err := virt.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	con := newConsole()
	m, err := virt.New(virt.Config{
		Config: machine.Config{Registry: registry, Warn: func(s string) { t.Log(s) }},
		CPUs:   2, RAM: 64 << 20, Kernel: "builtin:demo", Serial: con,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var events []machine.Event
	m.Observe(func(e machine.Event) { events = append(events, e) })
	m.Start()
	do := func(f func(co *coro.Co)) {
		t.Helper()
		if err := m.Do("test", f); err != nil {
			t.Fatal(err)
		}
	}
	try := func(f func(co *coro.Co) error) {
		t.Helper()
		do(func(co *coro.Co) {
			if err := f(co); err != nil {
				t.Error(err)
			}
		})
	}
	try(m.Cont)
	con.await(t, "ready")
	try(m.Stop)
	before := m.CPUs()[0].Hart().Instret()
	do(func(*coro.Co) {
		if m.State() != machine.Paused || m.CPUs()[0].Hart().Instret() != before {
			t.Errorf("after Stop: state %v, instructions %d then %d", m.State(), before, m.CPUs()[0].Hart().Instret())
		}
	})
	try(m.Cont)
	con.mu.Lock()
	con.text.Reset() // before the guest can say it again
	con.mu.Unlock()
	try(func(co *coro.Co) error { return m.Reset(co, machine.HostQMPSystemReset) })
	con.await(t, "ready")
	do(func(*coro.Co) {
		want := []machine.Event{machine.Resumed{}, machine.Stopped{}, machine.Resumed{}, machine.WasReset{Cause: machine.HostQMPSystemReset}}
		if len(events) != len(want) {
			t.Fatalf("events %v, want %v", events, want)
		}
		for i := range want {
			if events[i] != want[i] {
				t.Errorf("event %d is %v, want %v", i, events[i], want[i])
			}
		}
	})
}
