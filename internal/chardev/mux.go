package chardev

import (
	"context"
	"slices"
	"sync"

	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// escape is Ctrl-A: the key after it speaks to the Mux.
const escape = 1

// muxIn is how much input a frontend of a Mux may leave unread. What comes then
// is dropped, so that Ctrl-A x works while a guest reads nothing.
const muxIn = 4 << 10

const muxHelp = "\r\nC-a h    print this help\r\n" +
	"C-a x    exit emulator\r\n" +
	"C-a b    send break (magic sysrq)\r\n" +
	"C-a c    switch between console and monitor\r\n" +
	"C-a C-a  sends C-a\r\n"

// maxFronts is how many frontends a Mux takes: QEMU's number.
const maxFronts = 4

// A Mux lets several frontends share one device: all write to it, and the one
// that has the focus reads. Ctrl-A c moves the focus to the next.
type Mux struct {
	base   *Chardev
	label  string
	onExit func()

	writing sync.Mutex       // one Write at a time; taken alone
	log     *descriptor.File // gets a copy of the output, or nil; set before use, guarded by writing

	mu      sync.Mutex
	conn    Conn // nil while nobody is connected
	fronts  []*muxConn
	focus   int
	escaped bool
}

// NewMux shares base, which must be unused, under the label. onExit is called on
// Ctrl-A x, on a thread of base; it must not close the Mux from there.
func NewMux(base *Chardev, label string, onExit func()) (*Mux, error) {
	if err := base.claim(); err != nil {
		return nil, err
	}
	m := &Mux{base: base, label: label, onExit: onExit}
	base.OnBreak(m.SendBreak)
	return m, nil
}

// Start begins to read and write base, once all frontends are there: a key that
// is waiting already must find them.
func (m *Mux) Start() error {
	if conn := m.base.waiting(); conn != nil { // none if this is the second Start
		m.mu.Lock()
		m.conn = conn
		m.mu.Unlock()
	}
	return m.base.attach(frontend{serve: m.serve, claimed: true})
}

// Label returns the id that frontends name.
func (m *Mux) Label() string { return m.label }

// Base returns the device that is shared.
func (m *Mux) Base() *Chardev { return m.base }

// FrontendOpen reports whether somebody uses the Mux.
func (m *Mux) FrontendOpen() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.fronts) > 0
}

// Add returns a new frontend as a device, whose connection is a [Shared]. It
// takes the focus. breaks, unless nil, is called on Ctrl-A b, on a thread of the
// base and without locks. Close ends the device with the Mux.
func (m *Mux) Add(breaks func()) (*Chardev, error) {
	c := &muxConn{mux: m, onBreak: breaks, here: true}
	c.cond = sync.NewCond(&c.mu)
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.fronts) == maxFronts {
		return nil, qerr.New("too many uses of multiplexed chardev '%s' (maximum is %d)", m.label, maxFronts)
	}
	if len(m.fronts) > 0 {
		m.fronts[m.focus].turn(false)
	}
	m.fronts = append(m.fronts, c)
	m.focus = len(m.fronts) - 1
	c.dev = &Chardev{w: m.base.w, config: Config{Label: m.label, Backend: "mux"}, retry: m.base.w.NewParker(), threads: m.base.w.NewGroup(), first: c}
	c.dev.parent = m.base.parent
	c.dev.ctx, c.dev.cancel = context.WithCancel(c.dev.parent)
	return c.dev, nil
}

// remove takes a frontend out whose connection was closed. If it had the focus
// the next one gets it.
func (m *Mux) remove(c *muxConn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.fronts, c)
	if i < 0 {
		return
	}
	m.fronts = slices.Delete(m.fronts, i, i+1)
	switch {
	case i < m.focus:
		m.focus--
	case i == m.focus && len(m.fronts) > 0:
		m.focus %= len(m.fronts)
		m.fronts[m.focus].turn(true)
	}
}

// SendBreak tells the frontend that has the focus of a break.
func (m *Mux) SendBreak() {
	m.mu.Lock()
	var f func()
	if m.focus < len(m.fronts) {
		f = m.fronts[m.focus].onBreak
	}
	m.mu.Unlock()
	if f != nil {
		f()
	}
}

// serve is the [Handler] of the shared device.
func (m *Mux) serve(_ *sched.Thread, conn Conn) {
	m.mu.Lock()
	m.conn = conn
	m.mu.Unlock()
	buf := make([]byte, 1024)
	for {
		n, err := conn.Read(buf)
		for _, b := range buf[:n] {
			m.key(b)
		}
		if err != nil {
			break
		}
	}
	if halfOpen(conn) {
		return // its output goes on until the device is closed
	}
	m.mu.Lock()
	m.conn = nil
	m.mu.Unlock()
}

// key takes one byte of input.
func (m *Mux) key(b byte) {
	m.mu.Lock()
	was := m.escaped
	m.escaped = b == escape && !was
	var to *muxConn
	if m.focus < len(m.fronts) {
		to = m.fronts[m.focus]
	}
	m.mu.Unlock()
	switch {
	case !was && b == escape:
	case !was || b == escape:
		if to != nil {
			to.put(b)
		}
	case b == 'h' || b == '?':
		_, _ = m.write([]byte(muxHelp)) // there is nobody else to tell
	case b == 'x':
		_, _ = m.write([]byte("QEMU: Terminated\n\r"))
		m.onExit()
	case b == 'b':
		m.SendBreak()
	case b == 'c':
		m.next()
	}
}

// next moves the focus on.
func (m *Mux) next() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.fronts) < 2 {
		return
	}
	m.fronts[m.focus].turn(false)
	m.focus = (m.focus + 1) % len(m.fronts)
	m.fronts[m.focus].turn(true)
}

// write sends to the shared device, or nowhere while nobody is connected.
// columns is how wide the shared terminal is, 0 if that is not known.
func (m *Mux) columns() int {
	m.mu.Lock()
	conn := m.conn
	m.mu.Unlock()
	if screen, ok := conn.(Screen); ok {
		return screen.Columns()
	}
	return 0
}

func (m *Mux) write(p []byte) (int, error) {
	m.writing.Lock()
	defer m.writing.Unlock()
	m.base.record(p)
	if m.log != nil {
		_, _ = m.log.Write(p) // as Chardev.record
	}
	m.mu.Lock()
	conn := m.conn
	m.mu.Unlock()
	if conn == nil {
		return len(p), nil
	}
	if _, err := conn.Write(p); err != nil {
		m.mu.Lock()
		if m.conn == conn {
			m.conn = nil
		}
		m.mu.Unlock()
	}
	return len(p), nil
}

// Detach gives base back; there must be no frontends.
func (m *Mux) Detach() {
	m.base.Detach()
	m.closeLog()
}

// closeLog ends the log, if there is one.
func (m *Mux) closeLog() {
	m.writing.Lock()
	defer m.writing.Unlock()
	if m.log != nil {
		_ = m.log.Close()
		m.log = nil
	}
}

// Close closes the frontends' devices and the shared one, and returns when
// their threads have ended.
func (m *Mux) Close() {
	m.mu.Lock()
	fronts := slices.Clone(m.fronts)
	m.mu.Unlock()
	for _, c := range fronts {
		c.dev.Close()
	}
	m.base.Close()
	m.closeLog()
}
