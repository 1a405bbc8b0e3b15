package chardev

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// AddClient gives the device called label a client: fd, a connected socket, which
// it takes over. It is for what listens, and for a client whose server is still
// to come; one that serves its clients one after the other must have none. AddClient
// does not block.
func (s *Set) AddClient(label string, fd int) error {
	s.mu.Lock()
	m := s.findLocked(label)
	var d *Chardev // stays nil for a mux
	if m != nil {
		d = m.dev
	}
	s.mu.Unlock()
	switch {
	case d != nil && d.addClient(fd):
		return nil
	case d == nil:
		_ = unix.Close(fd)
	}
	if m == nil {
		return qerr.New("protocol '%s' is invalid", label)
	}
	return qerr.New("failed to add client")
}

// addClient has fd served as if it had come by the listener; false means that
// it was closed instead.
func (d *Chardev) addClient(fd int) bool {
	c, err := adoptSocket(fd)
	if err != nil {
		return false
	}
	if d.creds != nil { // who knows whether it can shake hands
		if taken := d.greeter != nil && !d.greeter.full(); taken {
			d.greeter.greet(c)
			return true
		}
		_ = c.Close()
		return false
	}
	taken := d.hand(d.talk(c))
	if !taken {
		_ = c.Close()
	}
	return taken
}

// hand leaves a connection where next finds it; false means that there is no
// place for it.
func (d *Chardev) hand(c Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.conns) + len(d.handed)
	if d.first != nil {
		n++
	}
	switch {
	case d.config.Backend != "socket" || d.listener == nil && d.config.ReconnectMS == 0:
	case d.closed || d.leaving:
	case n > 0 && !d.many || n >= maxClients:
	case n == 0 && !d.frontend:
		d.first = c // who comes counts as connected from the beginning
		return true
	default:
		d.handed = append(d.handed, c)
		d.retry.Unpark()
		d.wakeListener(time.Unix(1, 0)) // accept sees what it was for
		return true
	}
	return false
}
