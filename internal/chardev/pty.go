package chardev

import (
	"errors"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// A pty is a pseudo terminal of which we have the master. Whoever opens the
// other side is its peer; nobody being there is an error of reads (EIO).
type pty struct {
	master *os.File
	name   string // the other side's path
	link   string // a symbolic link to it that was made, or ""
}

// openPty makes a pseudo terminal in raw mode and, unless link is empty, a
// symbolic link to it.
func openPty(link string) (*pty, error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, couldNot("Failed to open PTY", "", err)
	}
	p := &pty{master: os.NewFile(uintptr(fd), "pty")}
	if p.name, err = unlock(fd); err == nil && link != "" {
		if err = os.Symlink(p.name, link); err != nil {
			_ = p.master.Close()
			return nil, couldNot("Failed to create PTY symlink", "", err)
		}
		p.link = link
	}
	if err != nil {
		_ = p.master.Close()
		return nil, couldNot("Failed to open PTY", "", err)
	}
	return p, nil
}

// unlock lets the other side be opened, takes the cooking out of it, and
// returns its path.
func unlock(fd int) (string, error) {
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return "", err
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return "", err
	}
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", err
	}
	makeRaw(t)
	return "/dev/pts/" + strconv.Itoa(n), unix.IoctlSetTermios(fd, unix.TCSETS, t)
}

// connected reports whether somebody has the other side open. Before the first
// has, there is no way to tell, and nobody counts as there.
func (p *pty) connected() bool {
	raw, err := p.master.SyscallConn()
	if err != nil {
		return false
	}
	up := false
	err = raw.Control(func(fd uintptr) {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(fds, 0)
		up = err == nil && n == 1 && fds[0].Revents&unix.POLLHUP == 0
	})
	return up && err == nil
}

// prime opens and closes the other side once, so that connected can tell.
func (p *pty) prime() {
	if f, err := os.OpenFile(p.name, os.O_RDWR|unix.O_NOCTTY, 0); err == nil {
		_ = f.Close()
	}
}

// close ends the pseudo terminal and removes the link to it.
func (p *pty) close() {
	_ = p.master.Close()
	if p.link != "" {
		_ = os.Remove(p.link)
	}
}

// conn is the connection to whoever has the other side open now. It leaves the
// pseudo terminal as it is when it is closed.
func (p *pty) conn() Conn {
	_ = p.master.SetDeadline(time.Time{}) // an error comes again with Read
	return &ptyConn{p}
}

type ptyConn struct{ *pty }

func (c *ptyConn) Peer() string { return c.name }

// Columns implements [Screen]: whoever has the other side may have said.
func (c *ptyConn) Columns() int { return columns(c.master) }

func (c *ptyConn) Read(b []byte) (int, error) {
	n, err := c.master.Read(b)
	if errors.Is(err, unix.EIO) { // the other side was closed
		err = io.EOF
	}
	return n, err
}

func (c *ptyConn) Write(b []byte) (int, error) { return c.master.Write(b) }

// SetWriteDeadline bounds how long Write may take.
func (c *ptyConn) SetWriteDeadline(t time.Time) error { return c.master.SetWriteDeadline(t) }

// Close interrupts Read and Write.
func (c *ptyConn) Close() error { return c.master.SetDeadline(time.Unix(1, 0)) }
