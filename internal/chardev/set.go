package chardev

import (
	"context"
	"slices"
	"sync"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// SetConfig is what a Set needs of its surroundings.
type SetConfig struct {
	Host
	// Exit is called on Ctrl-A x at a mux, on one of the Set's threads; it must
	// not close the Set from there.
	Exit func()
	// Inform takes what QEMU would tell who has started it: that a server waits
	// for its first client. It may be called on any goroutine.
	Inform func(text string)
}

// A Set is the character devices of one machine, by their ids. Its methods are
// for any goroutine. Add, Change, Remove and Close may block; they want no lock
// held.
type Set struct {
	w      *sched.World
	config SetConfig
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex // a leaf but for the devices' own
	members []*member  // in order of creation
	started bool
	closed  bool
}

// member is a device, or a mux over another member's.
type member struct {
	label  string
	dev    *Chardev // nil for a mux, and while it is being made
	next   *Chardev // what dev shall become, while that waits for its client
	mux    *Mux
	cancel context.CancelFunc // ends its making
}

// NewSet returns a Set without devices.
func NewSet(w *sched.World, c SetConfig) *Set {
	s := &Set{w: w, config: c}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Info is what query-chardev says of a device.
type Info struct {
	Label, Filename string
	Open            bool // a frontend is attached
}

// Info describes all devices, a mux before the device it was made with.
func (s *Set) Info() []Info {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Info, 0, len(s.members))
	shared := make(map[*Chardev]*Mux)
	for _, m := range s.members {
		if m.mux != nil {
			shared[m.mux.base] = m.mux
		}
	}
	for _, m := range s.members {
		switch {
		case m.mux != nil:
			list = append(list, Info{m.label, "mux", m.mux.FrontendOpen()})
		case m.dev == nil:
		case shared[m.dev] != nil:
			list = append(list, Info{m.label, m.dev.Filename(), shared[m.dev].FrontendOpen()})
		default:
			list = append(list, Info{m.label, m.dev.Filename(), m.dev.FrontendOpen()})
		}
	}
	return list
}

// Labels lists the ids.
func (s *Set) Labels() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	labels := make([]string, 0, len(s.members))
	for _, m := range s.members {
		labels = append(labels, m.label)
	}
	return labels
}

// baseSuffix is what QEMU puts behind the label of a device that a mux shares.
const baseSuffix = "-base"

// Has reports whether the id is taken.
func (s *Set) Has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.findLocked(id) != nil
}

// Exists is the error for an id that is taken.
func Exists(id string) error { return qerr.New("Chardev with id '%s' already exists", id) }

// NotAdded is err in the form in which QMP says that a device cannot be made.
func NotAdded(id string, err error) error {
	e := qerr.From(err)
	return qerr.New("Failed to add chardev '%s': %s", id, e.Desc).WithHint("%s", e.Hint)
}

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

func (s *Set) findLocked(label string) *member {
	for _, m := range s.members {
		if m.label == label {
			return m
		}
	}
	return nil
}

func (s *Set) dropLocked(m *member) {
	s.members = slices.DeleteFunc(s.members, func(o *member) bool { return o == m })
}

// Start lets shared devices be read: all who share them from the beginning are
// there. Muxes that are made later start at once.
func (s *Set) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.started = true
	for _, m := range s.members {
		if m.mux != nil {
			if err := m.mux.Start(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Use returns the device called label for a frontend: of a mux, a share. breaks,
// unless nil, is called when a break comes in. What Use returns is given back by
// [Chardev.Detach]; until it is served another may still take it.
func (s *Set) Use(label string, breaks func()) (*Chardev, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.findLocked(label)
	switch {
	case m != nil && m.mux != nil:
		return m.mux.Add(breaks)
	case m == nil || m.dev == nil:
		return nil, qerr.New("chardev \"%s\" not found", label)
	}
	if breaks != nil && !m.dev.FrontendOpen() {
		m.dev.OnBreak(breaks)
	}
	return m.dev, nil
}

// Ring returns what the ring buffer called label keeps.
func (s *Set) Ring(label string) (*Ring, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.findLocked(label)
	switch {
	case m == nil:
		return nil, qerr.New("Device '%s' not found", label)
	case m.dev == nil || m.dev.Ring() == nil:
		return nil, qerr.New("%s is not a ringbuf device", label)
	}
	return m.dev.Ring(), nil
}

// SendBreak tells the frontend of the device called label of a break.
func (s *Set) SendBreak(label string) error {
	s.mu.Lock()
	m := s.findLocked(label)
	s.mu.Unlock()
	switch {
	case m == nil:
		return notFound(label)
	case m.mux != nil:
		m.mux.SendBreak()
	case m.dev != nil:
		m.dev.SendBreak()
	}
	return nil
}

func notFound(label string) error { return qerr.New("Chardev '%s' not found", label) }

// Remove ends the device called label. One that is still being made ends too,
// and Add fails.
func (s *Set) Remove(label string) error {
	s.mu.Lock()
	m := s.findLocked(label)
	switch {
	case m == nil:
		s.mu.Unlock()
		return notFound(label)
	case m.mux != nil && m.mux.FrontendOpen(), m.dev != nil && m.dev.FrontendOpen():
		s.mu.Unlock()
		return qerr.New("Chardev '%s' is busy", label)
	}
	s.dropLocked(m)
	s.mu.Unlock()
	s.end(m)
	return nil
}

// end takes down a member that s no longer has, or all of which s ends.
func (s *Set) end(m *member) {
	s.mu.Lock()
	cancel, x, dev, next := m.cancel, m.mux, m.dev, m.next
	s.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if x != nil {
		x.Detach()
	}
	for _, d := range []*Chardev{dev, next} {
		if d != nil {
			d.Close()
		}
	}
}

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

// Close ends all devices and returns when their threads have.
func (s *Set) Close() {
	s.mu.Lock()
	s.closed = true
	members := slices.Clone(s.members)
	s.mu.Unlock()
	s.cancel()
	for _, m := range members {
		if m.mux != nil { // set before closed was
			m.mux.Close()
		}
	}
	for _, m := range members {
		s.end(m)
	}
}
