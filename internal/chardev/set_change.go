package chardev

import (
	"context"
	"slices"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Change makes the device called label what c says. Its frontend goes on with
// the new one, if it can; otherwise, or if the new one cannot be made, the old
// one stays. It blocks as Add does, until ctx ends.
func (s *Set) Change(ctx context.Context, label string, c Config) (pty string, err error) {
	old, used, err := s.changeable(label)
	if err == nil && (c.Backend == "mux" || c.Mux) {
		err = qerr.New("Mux device hotswap not supported yet")
	}
	if err != nil {
		c.Release()
		return "", err
	}
	c.Label = label
	making, cancel := context.WithCancel(s.ctx)
	given := context.AfterFunc(ctx, cancel)
	defer func() { given() }()
	d, err := Open(making, s.w, c, s.config.Host)
	if err != nil {
		cancel()
		if !used {
			err = NotAdded(label, err)
		}
		return "", err
	}
	d.inform = s.config.Inform
	given()
	given = context.AfterFunc(ctx, d.Close)
	if err := s.exchange(old, d, cancel, given); err != nil {
		d.Close()
		cancel()
		return "", err
	}
	return d.Pty(), nil
}

// exchange waits for d's first client and gives it, which cancel ends, the place
// of m's device, if keep says that it is still wanted.
func (s *Set) exchange(m *member, d *Chardev, cancel context.CancelFunc, keep func() bool) error {
	s.mu.Lock()
	was := m.dev
	busy := m.next != nil || s.closed
	if !busy {
		m.next = d
	}
	s.mu.Unlock()
	if busy {
		return d.inUse()
	}
	err := d.WaitClient(func(filename string) { s.config.Inform("info: QEMU waiting for connection on: " + filename) })
	s.mu.Lock()
	m.next = nil
	if gone := !slices.Contains(s.members, m) || s.closed; gone && err == nil {
		err = ErrClosed
	}
	if err == nil && !keep() {
		err = ErrClosed
	}
	if err == nil {
		m.dev, m.cancel, cancel = d, cancel, m.cancel
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	err = was.moveTo(d)
	was.keepPath(d)
	was.Close()
	cancel()
	return err
}

// changeable returns the member called label if it may be changed, and whether it
// has a frontend.
func (s *Set) changeable(label string) (m *member, used bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m = s.findLocked(label)
	switch {
	case m == nil || m.mux == nil && m.dev == nil:
		return nil, false, qerr.New("Chardev '%s' does not exist", label)
	case m.mux != nil:
		return nil, false, qerr.New("Mux device hotswap not supported yet")
	case m.dev.FrontendOpen() && !m.dev.swappable():
		return nil, false, qerr.New("Chardev user does not support chardev hotswap")
	}
	return m, m.dev.FrontendOpen(), nil
}
