package aio

// A Source is readiness that comes from outside the loop, such as a reader
// goroutine that has received something: other goroutines signal it, and its
// handler runs in the context's loop. It plays the part of QEMU's file
// descriptor handlers. Its methods may be called from any goroutine.
type Source struct {
	bh      *BH
	ready   bool // signalled and not handled; guarded by the context's mutex, as the next
	enabled bool
}

// Source returns an enabled source that calls f from c's loop once it has been
// signalled. Signals that come before f is called are one. f does not run
// inside itself: a signal that comes while it runs has it called again after.
// Who hands things over puts them into a bounded queue of its own, signals,
// and waits outside the loop while the queue is full.
func (c *Context) Source(name string, f func()) *Source {
	s := &Source{enabled: true}
	s.bh = c.BH(name, func() {
		if s.take() {
			f()
		}
	})
	return s
}

// Name returns the source's name.
func (s *Source) Name() string { return s.bh.name }

// Signal makes the source ready. If it is disabled it stays ready.
func (s *Source) Signal() {
	s.set(func() { s.ready = true })
}

// Enable lets the handler run, at once if the source became ready meanwhile.
func (s *Source) Enable() {
	s.set(func() { s.enabled = true })
}

// Disable keeps the handler from running. A call under way goes on.
func (s *Source) Disable() {
	s.set(func() { s.enabled = false })
}

// Delete disables the source for good. Its handler may call it.
func (s *Source) Delete() { s.bh.Delete() }

// set makes a change and has the bottom half follow it.
func (s *Source) set(change func()) {
	c := s.bh.ctx
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	if s.ready && s.enabled {
		s.bh.scheduleLocked(&c.bhs)
	} else {
		s.bh.cancelLocked()
	}
}

// take reports whether the handler is to run, and for that uses the signal up.
func (s *Source) take() bool {
	c := s.bh.ctx
	c.mu.Lock()
	defer c.mu.Unlock()
	run := s.ready && s.enabled && !s.bh.deleted
	if run {
		s.ready = false
	}
	return run
}
