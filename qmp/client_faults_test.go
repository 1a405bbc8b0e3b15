package qmp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/backplane-vm/backplane/qmp"
)

// TestFaults: whatever the server does, calls return with an error that says
// so, and nothing is left running.
func TestFaults(t *testing.T) {
	for _, test := range []struct{ name, reply, want string }{
		{"hangs up", "", "EOF"},
		{"hangs up in a reply", `{"return": {`, "unexpected EOF"},
		{"garbage", "\xffhello", "does not speak QMP: JSON parse error, stray '\xff'"},
		{"a number", "17 ", "does not speak QMP: it sent a number"},
		{"something else", "{}", "neither a reply nor an event"},
		{"no id", `{"return": {}}`, "it answered nobody"},
		{"could not read us", `{"error": {"class": "GenericError", "desc": "JSON parse error, stray '%'"}}`, "it answered nobody: JSON parse error, stray '%'"},
		{"wrong id", `{"return": {}, "id": 99}`, "it answered 99, which was not asked"},
		{"greets again", hello, "it greets twice"},
		{"an event without a name", `{"event": 1}`, "an event without a name"},
		{"an unreadable error", `{"error": 5, "id": 2}`, "the error of the server cannot be read: 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := connected(t, func(s *fakeServer) {
				s.receive()
				s.send("%s", test.reply)
			})
			err := c.Execute(t.Context(), "x", nil, nil)
			if err == nil || !strings.HasPrefix(err.Error(), "x: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want …%s…", err, test.want)
			}
			<-c.Done()
			if err := c.Execute(t.Context(), "x", nil, nil); !errors.Is(err, qmp.ErrClosed) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestGreetingFaults(t *testing.T) {
	for _, test := range []struct{ name, says, want string }{
		{"hangs up", "", "EOF"},
		{"garbage", "SSH-2.0-OpenSSH\r\n", "does not speak QMP"},
		{"no object", `{"QMP": 1}`, "its greeting is no object"},
		{"capabilities of the wrong type", `{"QMP": {"capabilities": 1}}`, "greeting"},
		{"refuses", hello + `{"id": 1, "error": {"class": "GenericError", "desc": "no"}}`, "qmp_capabilities: no"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := connect(t, func(s *fakeServer) {
				rest, greets := strings.CutPrefix(test.says, hello)
				if greets {
					s.send(hello)
					s.receive()
				}
				s.send("%s", rest)
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want …%s…", err, test.want)
			}
		})
	}
}

// TestSplitEverywhere cuts a conversation at every byte.
func TestSplitEverywhere(t *testing.T) {
	reply := fmt.Sprintf(event, "E", 1) + `{"return": "\u00E9", "id": 2}` + "\r\n"
	for cut := range reply {
		c := connected(t, func(s *fakeServer) {
			s.receive()
			s.send("%s", reply[:cut])
			s.send("%s", reply[cut:])
		})
		var got string
		if err := c.Execute(t.Context(), "x", nil, &got); err != nil || got != "é" || c.Events().Cursor() != 1 {
			t.Fatalf("cut at %d: %q, %v, %d events", cut, got, err, c.Events().Cursor())
		}
		c.Close()
	}
}

// TestContexts: a call given up returns at once; its late reply harms nobody.
func TestContexts(t *testing.T) {
	noPatience := errors.New("no patience")
	ctx, cancel := context.WithCancelCause(t.Context())
	given := make(chan struct{})
	c := connected(t, func(s *fakeServer) {
		_, late := s.receive()
		cancel(noPatience)
		<-given
		s.send(`{"return": 1, "id": %d}`, late)
		_, id := s.receive()
		s.send(`{"return": 2, "id": %d}`, id)
	})
	if err := c.Execute(ctx, "slow", nil, nil); !errors.Is(err, noPatience) {
		t.Errorf("got %v", err)
	}
	close(given)
	if err := c.Execute(ctx, "never sent", nil, nil); !errors.Is(err, noPatience) {
		t.Errorf("got %v", err)
	}
	var n int64
	if err := c.Execute(t.Context(), "x", nil, &n); err != nil || n != 2 {
		t.Errorf("got %d, %v", n, err)
	}
}

func TestNewClientGivesUp(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := qmp.NewClient(ctx, ours); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the connection is still open: %v", err)
	}
}

func TestCloseWhileWaiting(t *testing.T) {
	c := connected(t, func(s *fakeServer) {
		s.receive()
		s.receive() // until the client hangs up
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.Execute(t.Context(), "x", nil, nil); !errors.Is(err, qmp.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
	wg.Go(func() {
		if _, err := c.WaitEvent(t.Context(), 0, nil); !errors.Is(err, qmp.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
	c.Close()
	c.Close()
	wg.Wait()
}
