package chardev

import (
	"sync"

	"github.com/backplane-vm/backplane/internal/sched"
)

const (
	// portOut is how much a Port holds for a slow reader. A console writes a
	// few KiB at a time; past this the device is told to keep its bytes.
	portOut = 64 << 10
	// portIn is how much input a Port takes before its device reads it. The
	// rest stays with the sender.
	portIn = 4 << 10
	// drainTime is how long closing a Port waits for a reader that does not
	// read, in nanoseconds. A file never makes it wait.
	drainTime = 1_000_000_000
)

// A Port is the frontend of a device that must not wait, such as a UART: bytes
// go into a bounded buffer and come out of one.
//
// Output while nobody is connected is dropped, as a cable that hangs in the air
// does. Output to a peer that reads slowly is kept up to a bound; then Write takes
// less than it is given, the device keeps the rest as a UART with flow control
// does, and wake is called when there is room again. Nothing that was taken is
// lost while the peer stays connected.
type Port struct {
	wake  func()
	fixed bool // it stays with its device

	mu      sync.Mutex
	dev     *Chardev
	cond    *sync.Cond // room for input, output to send, or the end
	conn    Conn       // nil while nobody is connected
	out     []byte
	in      []byte
	full    bool // a Write was cut short since wake was last called for room
	sending bool // the sender has bytes it has taken from out
	closed  bool
}

// NewPort gives d a device as its frontend. wake is called, on one of the Port's
// threads and without locks, when Read would give more, when Write would take
// more again, or when Connected changes; it must not block (it schedules a bottom
// half).
func NewPort(d *Chardev, wake func()) (*Port, error) { return openPort(&Port{dev: d, wake: wake}) }

// newFixedPort is NewPort for a frontend that chardev-change cannot move.
func newFixedPort(d *Chardev, wake func()) (*Port, error) {
	return openPort(&Port{dev: d, wake: wake, fixed: true})
}

func openPort(p *Port) (*Port, error) {
	p.conn = p.dev.waiting()
	p.cond = sync.NewCond(&p.mu)
	if err := p.attach(p.dev, false); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Port) attach(d *Chardev, claimed bool) error {
	f := frontend{
		serve:   func(_ *sched.Thread, c Conn) { p.serve(d, c) },
		hangup:  p.hangup,
		swap:    p.move,
		claimed: claimed,
	}
	if p.fixed {
		f.swap = nil
	}
	return d.attach(f)
}

// hangup lets serve end.
func (p *Port) hangup() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.cond.Broadcast()
}

// move makes to the Port's device and leaves the old one without frontend.
// Output that the old one has not sent for a second is lost.
func (p *Port) move(to *Chardev) error {
	if err := to.claim(); err != nil {
		return err
	}
	p.mu.Lock()
	old := p.dev
	p.mu.Unlock()
	old.mu.Lock()
	breaks := old.breaks
	old.mu.Unlock()
	p.drain()
	old.Detach()
	to.OnBreak(breaks)
	p.mu.Lock()
	p.dev, p.closed, p.conn = to, false, to.waiting()
	p.mu.Unlock()
	err := p.attach(to, true)
	p.wake()
	return err
}

// Write offers b and returns how many bytes were taken, from the front. It does
// not block and does not keep b.
func (p *Port) Write(b []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		p.dev.record(b)
		return len(b)
	}
	n := min(len(b), portOut-len(p.out))
	p.dev.record(b[:n])
	p.out = append(p.out, b[:n]...)
	p.full = p.full || n < len(b)
	p.cond.Broadcast()
	return n
}

// Read takes at most len(b) bytes of input and returns how many. It does not
// block.
func (p *Port) Read(b []byte) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := copy(b, p.in)
	p.in = p.in[:copy(p.in, p.in[n:])]
	if n > 0 {
		p.cond.Broadcast()
	}
	return n
}

// Connected reports whether somebody is at the other end.
func (p *Port) Connected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.conn != nil
}

// Close sends what is in the buffer, for at most a second if the peer does not
// read, and closes the device. Afterwards output is dropped.
func (p *Port) Close() {
	p.drain()
	p.mu.Lock()
	d := p.dev
	p.mu.Unlock()
	d.Close()
}

// detach is Close for a device that stays.
func (p *Port) detach() {
	p.drain()
	p.dev.Detach()
}

// drain ends the Port's use of its connection: it waits, for a bounded time,
// until what is in the buffer has been sent.
func (p *Port) drain() {
	p.mu.Lock()
	w := p.dev.w
	p.mu.Unlock()
	limit := w.NewTimer(func() {
		p.mu.Lock()
		c := p.conn
		p.mu.Unlock()
		if c != nil {
			c.Close()
		}
	})
	limit.Arm(w.Now() + drainTime)
	p.mu.Lock()
	p.closed = true
	p.cond.Broadcast()
	for p.conn != nil && (len(p.out) > 0 || p.sending) {
		p.cond.Wait()
	}
	p.mu.Unlock()
	limit.Stop()
}

// serve is the Port's [Handler]: it receives; a second thread sends.
func (p *Port) serve(d *Chardev, c Conn) {
	p.mu.Lock()
	p.conn = c
	p.mu.Unlock()
	p.wake()
	sender := d.w.Go("chardev "+d.Label()+" output", func(*sched.Thread) { p.send(c) })
	p.receive(c)
	p.mu.Lock()
	eof := p.conn == c && !p.closed && halfOpen(c)
	for eof && p.conn == c && !p.closed { // input has ended, output may go on
		p.cond.Wait()
	}
	for p.conn == c && p.closed && (len(p.out) > 0 || p.sending) {
		p.cond.Wait()
	}
	if p.conn == c {
		p.conn = nil
	}
	p.out, p.full = p.out[:0], false
	p.cond.Broadcast()
	p.mu.Unlock()
	c.Close()
	sender.Join()
	p.wake()
}

// halfOpen reports whether output makes sense after the end of input: to a
// terminal or a file, but not to a socket or pseudo terminal whose peer has gone,
// or a hub of which all have.
func halfOpen(c Conn) bool {
	switch c := c.(type) {
	case *ptyConn, *hubConn:
		return false
	case *lineConn:
		return !c.terminal
	}
	return socketOf(c) == nil
}

// receive moves input to the buffer until it ends.
func (p *Port) receive(c Conn) {
	chunk := make([]byte, portIn)
	for {
		p.mu.Lock()
		for len(p.in) == portIn && p.conn == c && !p.closed {
			p.cond.Wait()
		}
		room, gone := portIn-len(p.in), p.conn != c || p.closed
		p.mu.Unlock()
		if gone {
			return
		}
		n, err := c.Read(chunk[:room])
		p.mu.Lock()
		p.in = append(p.in, chunk[:n]...)
		p.mu.Unlock()
		if n > 0 {
			p.wake()
		}
		if err != nil {
			return
		}
	}
}

// send moves output to the connection until that fails or is over.
func (p *Port) send(c Conn) {
	var chunk []byte
	for {
		p.mu.Lock()
		p.sending = false
		p.cond.Broadcast()
		for len(p.out) == 0 && p.conn == c && !p.closed {
			p.cond.Wait()
		}
		if p.conn != c || len(p.out) == 0 {
			p.mu.Unlock()
			return
		}
		chunk = append(chunk[:0], p.out...)
		p.out = p.out[:0]
		p.sending = true
		room := p.full
		p.full = false
		p.mu.Unlock()
		if room {
			p.wake()
		}
		if _, err := c.Write(chunk); err != nil {
			p.mu.Lock()
			p.sending = false
			if p.conn == c {
				p.conn = nil
			}
			p.out, p.full = p.out[:0], false
			p.cond.Broadcast()
			p.mu.Unlock()
			c.Close()
			p.wake()
			return
		}
	}
}
