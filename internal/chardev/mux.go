package chardev

import (
	"io"
	"sync"

	"github.com/backplane-vm/backplane/internal/sched"
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

// A Mux lets several frontends share one device: all write to it, and the one
// that has the focus reads. Ctrl-A c moves the focus to the next.
type Mux struct {
	base   *Chardev
	onExit func()

	writing sync.Mutex // one Write at a time; taken alone

	mu      sync.Mutex
	conn    Conn // nil while nobody is connected
	fronts  []*muxConn
	focus   int
	escaped bool
}

// NewMux shares base, which must be unused. onExit is called on Ctrl-A x, on a
// thread of base; it must not close the Mux from there.
func NewMux(base *Chardev, onExit func()) (*Mux, error) {
	m := &Mux{base: base, onExit: onExit}
	if err := base.Serve(false, m.serve); err != nil {
		return nil, err
	}
	return m, nil
}

// Base returns the device that is shared.
func (m *Mux) Base() *Chardev { return m.base }

// Add returns a new frontend as a device called label. It takes the focus. focus,
// unless nil, is called when it loses the focus and when it has it again; breaks,
// unless nil, on Ctrl-A b.
func (m *Mux) Add(label string, focus func(in bool), breaks func()) *Chardev {
	c := &muxConn{mux: m, onFocus: focus, onBreak: breaks}
	c.cond = sync.NewCond(&c.mu)
	m.mu.Lock()
	m.fronts = append(m.fronts, c)
	m.focus = len(m.fronts) - 1
	m.mu.Unlock()
	return &Chardev{w: m.base.w, config: Config{Label: label, Backend: "mux", FD: -1}, retry: m.base.w.NewParker(), first: c}
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
	case b == 'b' && to != nil && to.onBreak != nil:
		to.onBreak()
	case b == 'c':
		m.next()
	}
}

// next moves the focus on.
func (m *Mux) next() {
	m.mu.Lock()
	if len(m.fronts) == 0 {
		m.mu.Unlock()
		return
	}
	from := m.fronts[m.focus]
	m.focus = (m.focus + 1) % len(m.fronts)
	to := m.fronts[m.focus]
	m.mu.Unlock()
	if from.onFocus != nil {
		from.onFocus(false)
	}
	if to.onFocus != nil {
		to.onFocus(true)
	}
}

// write sends to the shared device, or nowhere while nobody is connected.
func (m *Mux) write(p []byte) (int, error) {
	m.writing.Lock()
	defer m.writing.Unlock()
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

// Close closes the shared device. Frontends are closed by whoever has them.
func (m *Mux) Close() { m.base.Close() }

// A muxConn is a frontend's connection.
type muxConn struct {
	mux     *Mux
	onFocus func(bool)
	onBreak func()

	mu     sync.Mutex
	cond   *sync.Cond
	in     []byte
	closed bool
}

func (c *muxConn) Peer() string                { return "mux" }
func (c *muxConn) Write(p []byte) (int, error) { return c.mux.write(p) }

func (c *muxConn) put(b byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.in) < muxIn {
		c.in = append(c.in, b)
		c.cond.Signal()
	}
}

func (c *muxConn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.in) == 0 && !c.closed {
		c.cond.Wait()
	}
	if c.closed {
		return 0, io.EOF
	}
	n := copy(p, c.in)
	c.in = c.in[:copy(c.in, c.in[n:])]
	return n, nil
}

func (c *muxConn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.cond.Broadcast()
	return nil
}
