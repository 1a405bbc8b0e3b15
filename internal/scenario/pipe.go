package scenario

import (
	"io"

	"github.com/backplane-vm/backplane/internal/sched"
)

// pipeBuffer is how much one direction of a pipe holds before a writer waits:
// a socket's worth.
const pipeBuffer = 64 << 10

// pipe is one direction of a connection inside a simulated World: bytes, and
// waits that the scheduler knows.
type pipe struct {
	mu     sched.Mutex
	change *sched.Cond
	buf    []byte
	closed bool
}

func newPipe(w *sched.World, name string) *pipe {
	p := new(pipe)
	p.mu.Init(w, name)
	p.change = sched.NewCond(&p.mu)
	return p
}

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) == 0 {
		if p.closed {
			return 0, io.EOF
		}
		p.change.Wait()
	}
	n := copy(b, p.buf)
	p.buf = append(p.buf[:0], p.buf[n:]...)
	p.change.Broadcast()
	return n, nil
}

func (p *pipe) write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.buf) > pipeBuffer && !p.closed {
		p.change.Wait()
	}
	if p.closed {
		return 0, io.ErrClosedPipe
	}
	p.buf = append(p.buf, b...)
	p.change.Broadcast()
	return len(b), nil
}

func (p *pipe) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.change.Broadcast()
}

// conn is one end of a connection.
type conn struct{ in, out *pipe }

// newConn returns both ends of a connection in w.
func newConn(w *sched.World, name string) (a, b *conn) {
	there, back := newPipe(w, name+" requests"), newPipe(w, name+" replies")
	return &conn{in: back, out: there}, &conn{in: there, out: back}
}

// Read implements io.Reader.
func (c *conn) Read(b []byte) (int, error) { return c.in.read(b) }

// Write implements io.Writer.
func (c *conn) Write(b []byte) (int, error) { return c.out.write(b) }

// Close ends both directions.
func (c *conn) Close() error {
	c.in.close()
	c.out.close()
	return nil
}
