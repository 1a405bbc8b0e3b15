package chardev

import (
	"context"
	"slices"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Add makes a device, and a mux over it if that is asked for. It blocks while it
// connects, and until its first client is there if c.Wait is set; the end of ctx,
// Remove and Close cut that short. It returns the path of a pseudo terminal's
// other side. A descriptor in c's address is the device's, also when Add fails.
func (s *Set) Add(ctx context.Context, c Config) (pty string, err error) {
	s.mu.Lock()
	taken := s.findLocked(c.Label) != nil || c.Mux && s.findLocked(c.Label+baseSuffix) != nil
	if taken || s.closed {
		s.mu.Unlock()
		c.Release()
		return "", Exists(c.Label)
	}
	if c.Backend == "mux" {
		defer s.mu.Unlock()
		return "", s.addMuxLocked(&c)
	}
	making, cancel := context.WithCancel(s.ctx)
	m := &member{label: c.Label, cancel: cancel}
	var over *member
	if c.Mux {
		over = &member{label: c.Label}
		s.members = append(s.members, over)
		m.label += baseSuffix
		c.Label = m.label
	}
	s.members = append(s.members, m)
	s.mu.Unlock()
	given := context.AfterFunc(ctx, func() { s.giveUp(m) })
	err = s.make(making, m, over, c)
	if !given() && err == nil {
		err = context.Cause(ctx)
		s.giveUp(m)
	}
	if err != nil {
		s.mu.Lock()
		s.dropLocked(m)
		s.dropLocked(over)
		s.mu.Unlock()
		cancel()
		return "", err
	}
	return m.dev.Pty(), nil
}

// giveUp ends the making of m.
func (s *Set) giveUp(m *member) {
	s.mu.Lock()
	s.dropLocked(m)
	s.mu.Unlock()
	s.end(m)
}

// make opens m's device and waits for its client.
func (s *Set) make(ctx context.Context, m, over *member, c Config) error {
	d, err := Open(ctx, s.w, c, s.config.Host)
	if err != nil {
		return err
	}
	d.inform = s.config.Inform
	if err := s.publish(m, over, d); err != nil {
		d.Close()
		return err
	}
	err = d.WaitClient(func(filename string) { s.config.Inform("info: QEMU waiting for connection on: " + filename) })
	if err == nil && over != nil {
		err = s.startLate(over.mux)
	}
	if err != nil {
		d.Close()
	}
	return err
}

// startLate starts a mux that was made after Start.
func (s *Set) startLate(x *Mux) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		return nil
	}
	return x.Start()
}

// publish gives the device that was made its place, if that is still there.
func (s *Set) publish(m, over *member, d *Chardev) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := !slices.Contains(s.members, m) || over != nil && !slices.Contains(s.members, over)
	if gone || s.closed {
		return ErrClosed
	}
	if over != nil {
		x, err := NewMux(d, over.label, s.config.Exit)
		if err != nil {
			return err
		}
		over.mux = x
	}
	m.dev = d
	return nil
}

// addMuxLocked makes a mux over a device that is there.
func (s *Set) addMuxLocked(c *Config) error {
	base := s.findLocked(c.Shared)
	if base == nil || base.dev == nil {
		return qerr.New("mux: base chardev %s not found", c.Shared)
	}
	x, err := NewMux(base.dev, c.Label, s.config.Exit)
	if err != nil {
		return err
	}
	if c.LogFile != "" {
		if x.log, err = s.config.openLog(c); err != nil {
			x.Detach()
			return err
		}
	}
	if s.started {
		if err := x.Start(); err != nil {
			return err
		}
	}
	s.members = append(s.members, &member{label: c.Label, mux: x})
	return nil
}
