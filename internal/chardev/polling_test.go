package chardev

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/sched"
)

// connected returns the two ends of a unix socket, ours as a device of a Set with a
// has it, with a poller.
func connected(t *testing.T, a *attention) (ours *socketConn, theirs *net.UnixConn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "S"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = newSocketConn(in, a), out.(*net.UnixConn)
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	if ours.poller != nil {
		t.Error("it polls for a client of this process")
	}
	raw, err := in.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	ours.poller = a.newPollerOf(raw)
	return ours, theirs
}

func newAttention() *attention { return &attention{now: sched.NewWorld().Now} }

// willPoll has the next read poll.
func (p *poller) willPoll() {
	p.eager = true
	p.attention.poller.Store(p)
	p.since.Store(p.now() - pollAlone)
}

// What is read is what was sent, whether the reader polls or not.
func TestPolling(t *testing.T) {
	ours, theirs := connected(t, newAttention())
	buf := make([]byte, 3)
	for i := range 200 {
		if i%2 == 0 {
			ours.poller.willPoll()
		}
		sent := make(chan error, 1)
		go func() {
			_, err := theirs.Write([]byte{byte(i), 1, 2})
			sent <- err
		}()
		if _, err := io.ReadFull(ours, buf); err != nil || buf[0] != byte(i) {
			t.Fatalf("%d: %v, %v", i, buf, err)
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	}
	_ = theirs.Close()
	ours.poller.willPoll()
	if n, err := ours.Read(buf); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v at the end", n, err)
	}
	_ = ours.Close()
	ours.poller.willPoll()
	if n, err := ours.Read(buf); n != 0 || !errors.Is(err, net.ErrClosed) {
		t.Errorf("%d, %v after the end", n, err)
	}
}

// An idle connection is polled once.
func TestPollingStops(t *testing.T) {
	ours, _ := connected(t, newAttention())
	ours.poller.willPoll()
	if err := ours.SetReadDeadline(time.Now().Add(time.Duration(20 * pollTime))); err != nil {
		t.Fatal(err)
	}
	if n, err := ours.Read(make([]byte, 1)); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d, %v", n, err)
	}
	if ours.poller.eager {
		t.Error("it polls on")
	}
}

// Whose client is not alone does not poll.
func TestPollingAlone(t *testing.T) {
	a := newAttention()
	ours, theirs := connected(t, a)
	other, another := connected(t, a)
	ours.poller.willPoll()
	if _, err := another.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if ours.poller.alone() || !other.poller.alone() {
		t.Error("the other's input is not seen")
	}
	if _, err := theirs.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := ours.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if since := a.since.Load(); !ours.poller.alone() || since < ours.poller.began {
		t.Errorf("alone since %d, reading since %d", since, ours.poller.began)
	}
}
