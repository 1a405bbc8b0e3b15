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
	s.config.Host.find = s.joinable
	s.config.Host.attention = &attention{now: w.Now}
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
	shared := make(map[*Chardev]interface{ FrontendOpen() bool })
	for _, m := range s.members {
		if m.mux != nil {
			shared[m.mux.base] = m.mux
		}
		if m.dev != nil && m.dev.hub != nil {
			for _, p := range m.dev.hub.ports {
				shared[p.dev] = m.dev
			}
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

// joinable returns the device called label for a hub.
func (s *Set) joinable(label string) (*Chardev, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.findLocked(label)
	switch {
	case m == nil || m.mux == nil && m.dev == nil:
		return nil, qerr.New("hub: chardev can't be found by id '%s'", label)
	case m.mux != nil || m.dev.hub != nil:
		return nil, qerr.New("hub: multiplexers and hub devices can't be stacked, check chardev '%s', "+
			"chardev should not be a hub device or have 'mux=on' enabled", label)
	}
	return m.dev, nil
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
		if m.dev != nil && m.dev.hub != nil { // before those that it joins
			s.end(m)
		}
	}
	for _, m := range members {
		s.end(m)
	}
}
