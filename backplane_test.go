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
	for {
		s.mu.Lock()
		text := s.text.String()
		s.mu.Unlock()
		if strings.Contains(text, want) {
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
	for range 5 { // the same id again and again
		if err := m.Plug(ctx, rng); err != nil {
			t.Fatal(err)
		}
		if err := m.Unplug(ctx, "rng0"); err != nil {
			t.Fatal(err)
		}
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
