package qmptest

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"

	"github.com/backplane-vm/backplane/qmp"
)

// Server owns a session as a real server does, but in one goroutine: a
// request is run as soon as reading has to stop, and out-of-band requests at
// once. What it has to say gathers in Out.
type Server struct {
	Session *qmp.Session[qmp.NoYield]

	// Out is what was sent and not taken yet.
	Out bytes.Buffer

	// Answered counts requests that were run, and Silent those among them
	// that had nothing to say.
	Answered, Silent int

	backlog qmp.Backlog
	queue   []qmp.Request
}

// NewServer returns a server without a client; Open connects one.
func NewServer(reg *qmp.Registry[qmp.NoYield], config qmp.Config) *Server {
	return &Server{Session: qmp.NewSession(reg, config)}
}

// Open greets a client.
func (s *Server) Open() { s.Out.Write(s.Session.Opened(nil)) }

// Close forgets the client, with what it had queued.
func (s *Server) Close() {
	s.Session.Closed()
	s.queue = nil
	s.backlog.Clear()
	s.Out.Reset()
}

// Receive takes bytes of the client and answers every request they complete.
func (s *Server) Receive(p []byte) {
	for len(p) > 0 {
		n := s.Session.Feed(p, s.accept)
		p = p[n:]
		for len(s.queue) > 0 {
			r := s.queue[0]
			s.queue = s.queue[1:]
			s.backlog.Pop()
			s.run(r)
			s.backlog.Answered()
		}
	}
}

// Ask is Receive for a conversation: it returns what is said in reply to text.
func (s *Server) Ask(text string) string {
	s.Out.Reset()
	s.Receive([]byte(text))
	return s.Out.String()
}

// Send sends an event, if the client is to have it.
func (s *Server) Send(ev qmp.Event, at qmp.Timestamp) {
	s.Out.Write(s.Session.AppendEvent(nil, ev, at))
}

func (s *Server) accept(r qmp.Request) (more bool) {
	if r.OOB {
		s.run(r)
		return true
	}
	s.queue = append(s.queue, r)
	return !s.backlog.Push(s.Session.OOBEnabled())
}

func (s *Server) run(r qmp.Request) {
	reply := s.Session.Prepare(context.Background(), r).Dispatch(nil)
	s.Out.Write(reply)
	s.Answered++
	if len(reply) == 0 {
		s.Silent++
	}
}

// Pipe returns the client's end of a connection to a server of its own. The
// server is gone at the end of the test, or earlier if the client hangs up.
func Pipe(t testing.TB, reg *qmp.Registry[qmp.NoYield], config qmp.Config) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	var server sync.WaitGroup
	server.Go(func() {
		defer theirs.Close()
		serve(theirs, NewServer(reg, config))
	})
	t.Cleanup(func() {
		ours.Close()
		server.Wait()
	})
	return ours
}

// serve talks until the client hangs up.
func serve(conn net.Conn, s *Server) {
	s.Open()
	buf := make([]byte, 4096)
	for {
		if _, err := conn.Write(s.Out.Bytes()); err != nil {
			return
		}
		s.Out.Reset()
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		s.Receive(buf[:n])
	}
}
