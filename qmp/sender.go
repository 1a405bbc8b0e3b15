package qmp

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

// A message is a line, and the files that go with it, which are closed when
// they have been sent.
type message struct {
	line  []byte
	files []*os.File
}

// A sender writes a client's lines to its connection, each in one piece. A
// socket that takes a line at once gets it from the caller itself, which saves
// the time it takes to wake the writer.
type sender struct {
	conn   io.Writer
	direct syscall.RawConn // to write without blocking; nil where that is not possible

	mu   sync.Mutex
	once attempt       // at direct
	busy bool          // the writer is writing
	rest []byte        // of a line that was begun, for the writer
	kick chan struct{} // there is a rest
}

func newSender(conn io.Writer) *sender {
	s := &sender{conn: conn, kick: make(chan struct{}, 1)}
	s.once.write = s.once.try
	if c, ok := conn.(interface {
		net.Conn // and no file, whose writes may block
		syscall.Conn
	}); ok {
		s.direct, _ = c.SyscallConn() // an error: it is closed
	}
	return s
}

// try writes line if that does not block, and if nobody else is writing; else
// it returns false, and line is the writer's to write. It keeps line.
func (s *sender) try(line []byte) bool {
	if s.direct == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy || len(s.rest) > 0 {
		return false
	}
	s.once.line, s.once.n = line, 0
	err := s.direct.Write(s.once.write)
	s.once.line = nil
	if err != nil || s.once.n <= 0 {
		return false
	}
	if s.rest = line[s.once.n:]; len(s.rest) > 0 {
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
	return true
}

// An attempt is one write to a descriptor. It is kept from one to the next, so
// that a line costs no allocation; the sender's mu guards it.
type attempt struct {
	line  []byte
	n     int
	write func(fd uintptr) bool // try, as a value
}

func (a *attempt) try(fd uintptr) bool {
	a.n, _ = syscall.Write(int(fd), a.line) // an error is found by the writer
	return true
}

func (s *sender) writeMessage(m message) (err error) {
	switch {
	case len(m.files) > 0:
		err = sendWithFiles(s.conn, m.line, m.files)
	case len(m.line) > 0:
		_, err = s.conn.Write(m.line)
	}
	return err
}

// write writes what is left of an earlier line, and then m. It is the writer's.
func (s *sender) write(m message) error {
	s.mu.Lock()
	rest := s.rest
	s.busy = true
	s.mu.Unlock()
	defer closeFiles(m.files)
	if len(rest) > 0 {
		if _, err := s.conn.Write(rest); err != nil {
			return err
		}
	}
	if err := s.writeMessage(m); err != nil {
		return err
	}
	s.mu.Lock()
	s.busy, s.rest = false, nil
	s.mu.Unlock()
	return nil
}
