package backplane_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backplane-vm/backplane"
)

// screen is what the guest prints, and a way to wait for a text.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	select {
	case s.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (s *screen) await(ctx context.Context, t *testing.T, want string) {
	t.Helper()
	s.awaitTimes(ctx, t, want, 1)
}

// awaitTimes waits until the guest has said want that many times.
func (s *screen) awaitTimes(ctx context.Context, t *testing.T, want string, times int) {
	t.Helper()
	for {
		s.mu.Lock()
		text := s.text.String()
		s.mu.Unlock()
		if strings.Count(text, want) >= times {
			return
		}
		select {
		case <-s.more:
		case <-ctx.Done():
			t.Fatalf("the guest never said %q; it said:\n%s", want, text)
		}
	}
}

func TestPlugUnplug(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out := &screen{more: make(chan struct{}, 1)}
	m, err := backplane.New(backplane.Config{Console: out, Args: []string{
		"-M", "virt", "-smp", "2", "-kernel", "builtin:demo", "-device", "pcie-root-port,id=rp0,chassis=1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	out.await(ctx, t, "ready")
	rng := backplane.Device{Driver: "virtio-rng-pci", ID: "rng0", Bus: "rp0"}
	for i := range 5 { // the same id again and again
		if err := m.Plug(ctx, rng); err != nil {
			t.Fatal(err)
		}
		out.awaitTimes(ctx, t, ": up port=", i+1)
		if err := m.Unplug(ctx, "rng0"); err != nil {
			t.Fatal(err)
		}
		out.awaitTimes(ctx, t, ": removed port=", i+1)
	}
	for what, f := range map[string]func() error{
		"Device 'rng0' not found": func() error { return m.Unplug(ctx, "rng0") },
		"'nope' is not a valid device model name": func() error {
			return m.Plug(ctx, backplane.Device{Driver: "nope"})
		},
		"Bus 'rp9' not found": func() error {
			return m.Plug(ctx, backplane.Device{Driver: "virtio-rng-pci", Bus: "rp9"})
		},
	} {
		if err := f(); err == nil || err.Error() != what {
			t.Errorf("got %v, want %s", err, what)
		}
	}
	c, err := m.QMP(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Execute(ctx, "quit", nil, nil); err != nil {
		t.Errorf("quit: %v", err)
	}
	<-m.Done()
	if s := m.Stats(); s.Instructions == 0 || s.GracePeriods == 0 || s.BQLAcquired == 0 {
		t.Errorf("statistics %+v", s)
	}
	m.Close()
	if err := m.Plug(ctx, rng); err != backplane.ErrClosed {
		t.Errorf("plug after Close: %v", err)
	}
}

// TestUnplugWithoutAnswer asks a guest that does not run: the card stays until
// it does, and Unplug returns when its context ends.
func TestUnplugWithoutAnswer(t *testing.T) {
	m, err := backplane.New(backplane.Config{KeepGOMAXPROCS: true, Args: []string{
		"-M", "virt", "-S", "-kernel", "builtin:demo", "-device", "pcie-root-port,id=rp0,chassis=1",
		"-device", "virtio-rng-pci,id=rng0,bus=rp0", // at start, so the slot has power
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error)
	for range 3 { // the first asks, the others find it asked
		go func() { results <- m.Unplug(ctx, "rng0") }()
	}
	c, err := m.QMP(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	pending := func() bool {
		err := c.Execute(t.Context(), "device_del", map[string]any{"id": "rng0"}, nil)
		return err != nil && strings.HasSuffix(err.Error(), "is already in the process of unplug")
	}
	for !pending() { // asks itself, should it come first
		t.Log("device_del came first")
	}
	cancel()
	for range 3 {
		if err := <-results; err != context.Canceled {
			t.Errorf("an unplug given up: %v", err)
		}
	}
	if err := m.Unplug(ctx, "rng0"); err != context.Canceled {
		t.Errorf("an unplug with a context that has ended: %v", err)
	}
	go func() { results <- m.Unplug(context.Background(), "rng0") }()
	if !pending() {
		t.Error("the request does not stand")
	}
	m.Close()
	if err := <-results; err != backplane.ErrClosed {
		t.Errorf("an unplug that the machine's end cut short: %v", err)
	}
}
