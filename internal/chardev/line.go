package chardev

import (
	"errors"
	"io"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A line is what a device keeps open while frontends come and go: a host's serial
// port, a datagram socket. What arrives without a frontend waits in the kernel.
type line struct {
	lasting
	peer     string
	terminal bool // the end of input is that of all
}

// lasting is what a line is made of. One frontend at a time reads it, and one
// thread writes.
type lasting interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
	SetWriteDeadline(t time.Time) error
}

// conn is a frontend's connection. It leaves the line open when it is closed;
// there must be no other then.
func (l *line) conn() Conn {
	_ = l.SetDeadline(time.Time{}) // an error comes again with Read
	return &lineConn{line: l}
}

type lineConn struct {
	*line
	closed atomic.Bool
}

func (c *lineConn) Peer() string { return c.peer }

func (c *lineConn) Read(p []byte) (int, error) {
	if c.closed.Load() {
		return 0, io.EOF
	}
	n, err := c.line.Read(p)
	if errors.Is(err, unix.EIO) { // the terminal has gone
		err = io.EOF
	}
	return n, err
}

// Close interrupts Read and Write. What has no deadlines, such as /dev/null, does
// not block either.
func (c *lineConn) Close() error {
	c.closed.Store(true)
	if err := c.SetDeadline(time.Unix(1, 0)); !errors.Is(err, os.ErrNoDeadline) {
		return err
	}
	return nil
}
