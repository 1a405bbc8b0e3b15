package chardev

import (
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A Terminal is what stdio devices are connected to. The machine has one, which
// one device at a time may have. The zero Terminal has none: stdio is refused.
type Terminal struct {
	In, Out *os.File // normally os.Stdin and os.Stdout; not closed
	// Lease is shared by all uses of the terminal; nil lets anyone have it.
	Lease *Lease
}

// A Lease is held by the device that has the terminal.
type Lease struct {
	mu    sync.Mutex
	taken bool
}

func (l *Lease) take() bool {
	if l == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.taken
	l.taken = true
	return !was
}

func (l *Lease) release() {
	if l != nil {
		l.mu.Lock()
		l.taken = false
		l.mu.Unlock()
	}
}

// open takes the terminal and, if it is one, puts it in raw mode until the
// connection is closed. With signals, Ctrl-C and its like stay signals.
func (t Terminal) open(signals bool) (Conn, error) {
	if t.In == nil || t.Out == nil {
		return nil, qerr.New("stdio is not available to this machine")
	}
	if !t.Lease.take() {
		return nil, qerr.New("cannot use stdio by multiple character devices")
	}
	c := &stdio{term: t}
	if err := unix.Pipe2(c.wake[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Lease.release()
		return nil, couldNot("Could not open ", "stdio", err)
	}
	fd := int(t.In.Fd())
	if term.IsTerminal(fd) {
		if state, err := term.MakeRaw(fd); err == nil {
			c.restore = func() error { return term.Restore(fd, state) }
			cooked(fd, signals)
		}
	}
	return c, nil
}

// cooked gives back what raw mode took and QEMU leaves on: output processing,
// and signals if asked for.
func cooked(fd int, signals bool) {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return
	}
	t.Oflag |= unix.OPOST
	if signals {
		t.Lflag |= unix.ISIG
	}
	_ = unix.IoctlSetTermios(fd, unix.TCSETS, t) // raw mode without these serves too
}

// A Screen is a connection to a terminal whose size may be known.
type Screen interface {
	Conn
	// Columns is how wide the terminal is now, 0 if that is not known. It does not
	// block.
	Columns() int
}

// columns asks the kernel how wide the terminal f is.
func columns(f *os.File) int {
	raw, err := f.SyscallConn()
	if err != nil {
		return 0
	}
	width := 0
	err = raw.Control(func(fd uintptr) {
		if size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); err == nil {
			width = int(size.Col)
		}
	})
	if err != nil {
		return 0
	}
	return width
}

// stdio is the connection of a stdio device. A read of a terminal cannot be
// interrupted, so it polls a pipe beside it that Close writes to; the
// descriptor itself is left in the mode it came in, as others may share it.
type stdio struct {
	term    Terminal
	restore func() error // nil if there was nothing to change
	wake    [2]int       // Close writes to the second

	mu      sync.Mutex
	reading bool // Read is using wake
	closed  bool
}

func (s *stdio) Peer() string { return "stdio" }

// Columns implements [Screen].
func (s *stdio) Columns() int { return columns(s.term.Out) }

func (s *stdio) Read(p []byte) (int, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return 0, io.EOF
	}
	s.reading = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		s.reading = false
		if s.closed {
			s.closeWakeLocked()
		}
		s.mu.Unlock()
	}()
	in := int(s.term.In.Fd())
	for {
		fds := []unix.PollFd{{Fd: int32(in), Events: unix.POLLIN}, {Fd: int32(s.wake[0]), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, err
		case fds[1].Revents != 0:
			return 0, io.EOF
		}
		n, err := unix.Read(in, p)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
			continue
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

func (s *stdio) Write(p []byte) (int, error) { return s.term.Out.Write(p) }

func (s *stdio) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.reading {
		_, _ = unix.Write(s.wake[1], []byte{0}) // the pipe is empty, so there is room
	} else {
		s.closeWakeLocked()
	}
	defer s.term.Lease.release()
	if s.restore != nil {
		return s.restore()
	}
	return nil
}

func (s *stdio) closeWakeLocked() {
	for i, fd := range s.wake {
		if fd >= 0 {
			_ = unix.Close(fd)
			s.wake[i] = -1
		}
	}
}
