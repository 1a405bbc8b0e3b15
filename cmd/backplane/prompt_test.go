package main

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qmp"
)

// A screen is what a terminal is sent, as text a test can wait for.
type screen struct {
	mu      sync.Mutex
	text    strings.Builder
	seen    int // where expect goes on
	changed chan struct{}
}

func newScreen() *screen { return &screen{changed: make(chan struct{}, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.text.Write(p)
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return len(p), nil
}

// expect waits until text is there, behind what was expected before.
func (s *screen) expect(t *testing.T, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		s.mu.Lock()
		rest := s.text.String()[s.seen:]
		if i := strings.Index(rest, text); i >= 0 {
			s.seen += i + len(text)
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		select {
		case <-s.changed:
		case <-ctx.Done():
			t.Fatalf("%q does not come; there is %q", text, rest)
		}
	}
}

// A scripted terminal is a prompt with a test at its keys.
type scripted struct {
	*screen
	t      *testing.T
	keys   *io.PipeWriter
	status chan int
}

func startPrompt(t *testing.T, s *qmpServer) *scripted {
	t.Helper()
	client, err := dial(t.Context(), address{network: "unix", where: s.path}, func(ctx context.Context, conn net.Conn) (*qmp.Client, error) {
		return qmp.NewClient(ctx, conn)
	})
	if err != nil {
		t.Fatal(err)
	}
	session := &qmpSession{client: client, words: newVocabulary(client), qmpOptions: qmpOptions{compact: true}}
	in, keys := io.Pipe()
	st := &scripted{newScreen(), t, keys, make(chan int, 1)}
	p, end := newPrompt(t.Context(), session, in, st.screen)
	p.resize(100, 25)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		st.status <- p.run()
	}()
	t.Cleanup(func() {
		keys.Close()
		<-ended
		end()
		client.Close()
	})
	st.expect(t, "version 10.0.2")
	st.expect(t, "(qmp) ")
	return st
}

// press types keys.
func (st *scripted) press(keys string) {
	st.t.Helper()
	if _, err := io.WriteString(st.keys, keys); err != nil {
		st.t.Fatal(err)
	}
}

// ends waits for the exit status.
func (st *scripted) ends(want int) {
	st.t.Helper()
	select {
	case got := <-st.status:
		if got != want {
			st.t.Errorf("status %d, want %d", got, want)
		}
	case <-time.After(patience):
		st.t.Fatal("the prompt does not end")
	}
}

func TestPromptRunsCommands(t *testing.T) {
	st := startPrompt(t, newQMPServer(t))
	st.press("query-status\r")
	st.expect(t, `"running": true}`+"\r\n")
	st.press("foo\r")
	st.expect(t, "CommandNotFound: The command foo has not been found\r\n")
	st.press("\r")
	st.press("device_del id\r")
	st.expect(t, "argument 'id' is not NAME=VALUE\r\n")
	st.press("device_del 'id\r")
	st.expect(t, "a quote is not closed\r\n")
	st.press("help device_del\r")
	st.expect(t, "  id                       str\r\n")
	st.press("help nothing\r")
	st.expect(t, "the server has no command and no event 'nothing'\r\n")
	st.press("\x1b[A\x7f\x7f\x7f\x7f\x7f\x7f\x7fdevice_add\r") // up, and change it
	st.expect(t, "  driver                   str\r\n")
	st.expect(t, "(qmp) ")
	st.press("\x04")
	st.ends(statusOK)
}

func TestPromptCompletes(t *testing.T) {
	s := newQMPServer(t)
	st := startPrompt(t, s)
	st.press("device_a\t")
	st.expect(t, "device_add ")
	st.press("driver=vir\t")
	st.expect(t, "driver=virtio-")
	st.press("\t")
	st.expect(t, "virtio-blk-pci  virtio-rng-pci\r\n")
	st.expect(t, "device_add driver=virtio-")
	st.press("b\tnum\t")
	st.expect(t, "num-queues=")
	st.press("3\t\r")
	st.expect(t, "{}\r\n")
	if got := s.commands(); !sameCommand(t, got, `device_add {"driver": "virtio-blk-pci", "num-queues": 3}`) {
		t.Errorf("the server was asked %s", got)
	}
	st.press("\x04")
	st.ends(statusOK)
}

func TestPromptShowsEvents(t *testing.T) {
	s := newQMPServer(t)
	st := startPrompt(t, s)
	st.press("query-na")
	st.expect(t, "query-na")
	s.say(strings.TrimSpace(deletedEvent))
	st.expect(t, `* DEVICE_DELETED {"device": "d0", "path": "/d0"}`+"\r\n")
	st.expect(t, "(qmp) query-na") // drawn again
	st.press("me\r")
	st.expect(t, "{}\r\n")
	s.hangUp()
	st.expect(t, "The server has closed the connection.\r\n")
	st.ends(statusOK)
}

func TestPromptInterrupt(t *testing.T) {
	s := newQMPServer(t)
	s.replies["query-name"] = "silence"
	st := startPrompt(t, s)
	st.press("nonsense")
	st.expect(t, "nonsense")
	st.press("\x03query-name\r")
	st.expect(t, "query-name\r\n")
	st.waitAsked(s, "query-name")
	st.press("\x03")
	st.expect(t, "query-name: "+errGivenUp.Error()+"\r\n")
	st.press("query-status\r")
	st.expect(t, `"running": true}`)
	if got := s.commands(); got != "query-name\nquery-status" {
		t.Errorf("the server was asked %s", got)
	}
	st.press("\x04")
	st.ends(statusOK)
}

// waitAsked waits until the server has got a command; the prompt waits for
// its reply then.
func (st *scripted) waitAsked(s *qmpServer, command string) {
	st.t.Helper()
	for s.commands() != command {
		select {
		case <-s.noted:
		case <-time.After(patience):
			st.t.Fatalf("the server was asked %q", s.commands())
		}
	}
}

func TestInput(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	r, w := io.Pipe()
	in := newInput(ctx, r, nil)
	io.WriteString(w, "abc")
	buf := make([]byte, 2)
	for _, want := range []string{"ab", "c"} {
		if n, err := in.Read(buf); string(buf[:n]) != want || err != nil {
			t.Errorf("%q, %v", buf[:n], err)
		}
	}
	why := errors.New("enough")
	cancel(why)
	if _, err := in.Read(buf); err != why {
		t.Error(err)
	}
	w.Close()
	in = newInput(t.Context(), strings.NewReader("x"), nil)
	if all, err := io.ReadAll(in); string(all) != "x" || err != nil {
		t.Errorf("%q, %v", all, err)
	}
}
