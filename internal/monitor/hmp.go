package monitor

import (
	"io"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/internal/sched"
)

// hmpReadSize is how many typed bytes are taken from a terminal at once; the
// rest stays in its socket while the monitor is busy.
const hmpReadSize = 4096

// hmpClient is one terminal of a human monitor. The conversation belongs to
// the BQL: the reader thread hands what was typed to a bottom half of the
// iohandler context and waits until it has been taken. A coroutine command
// suspends this one conversation; everything else goes on.
type hmpClient struct {
	set   *Set
	label string // for people
	out   *output
	mon   *hmp.Monitor[*coro.Co] // BQL
	pump  *aio.BH
	inbox descriptor.Inbox // what came with what was taken last
	named descriptor.Names // what getfd has taken

	mu     sched.Mutex
	typed  []byte // handed over and not yet taken; guarded by mu
	came   []int  // descriptors that came with typed; guarded by mu
	taken  *sched.Cond
	closed bool // guarded by mu
	busy   bool // a command runs; guarded by mu
	turned bool // the focus of a shared terminal moved, not yet taken; guarded by mu
	focus  bool // to us; guarded by mu
}

// serveHMP talks to one terminal until it goes or the set closes. It is the
// body of the terminal's reader thread and blocks.
func (s *Set) serveHMP(conn io.ReadWriteCloser) {
	c := &hmpClient{set: s}
	cfg := s.hmpConfig()
	cfg.Owner = c
	if screen, ok := conn.(chardev.Screen); ok {
		cfg.Columns = screen.Columns
	}
	c.mon = hmp.New(cfg)
	c.mu.Init(s.m.World, "hmp client")
	c.taken = sched.NewCond(&c.mu)
	c.out = newOutput(s.m.World, "hmp", conn)
	c.pump = s.m.Loop.IOHandler.BH("hmp", c.work)
	if s.join(c) {
		c.talk(conn)
		s.leave(c)
		c.close()
	} else {
		c.out.finish()
	}
	c.out.wait()
	c.pump.Delete()
}

func (c *hmpClient) read(conn io.Reader) {
	buf, in := make([]byte, hmpReadSize), incoming(conn)
	for {
		c.out.waitRoom()
		n, err := conn.Read(buf)
		var came []int
		if fd, ok := in.TakeFD(); ok {
			came = []int{fd}
		}
		if n > 0 && !c.hand(buf[:n], came...) {
			return
		}
		if err != nil {
			return
		}
	}
}

// hand gives p, and the descriptors that came with it, to the conversation and
// blocks until it has been taken; it reports whether the client is still open.
func (c *hmpClient) hand(p []byte, came ...int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.typed, c.came = p, came
	c.pump.Schedule()
	for len(c.typed) > 0 && !c.closed {
		c.taken.Wait()
	}
	return !c.closed
}

// work feeds the conversation and starts the commands that are entered. It
// runs in the iohandler context.
func (c *hmpClient) work() {
	c.takeTurn()
	for {
		c.mu.Lock()
		p := c.typed
		if c.closed || c.busy || len(p) == 0 {
			c.mu.Unlock()
			return
		}
		c.inbox.Put(c.came)
		c.came = nil
		c.mu.Unlock()
		n, inv := c.mon.Feed(p)
		c.flush()
		c.mu.Lock()
		c.typed = p[n:]
		c.busy = inv != nil && inv.Coroutine()
		if len(c.typed) == 0 {
			c.taken.Broadcast()
		}
		c.mu.Unlock()
		switch {
		case inv == nil:
			if n == 0 && !c.mon.Wants() {
				return
			}
		case inv.Coroutine() && c.set.policy.humanNests():
			c.set.runNested(inv)
			c.flush()
			c.mu.Lock()
			c.busy = false
			c.mu.Unlock()
		case inv.Coroutine():
			c.set.coroutineContext().Spawn("hmp-command", func(co *coro.Co) { c.finish(co, inv) })
			return
		default:
			inv.Run()
			c.flush()
		}
	}
}

// finish runs a coroutine command and lets the conversation go on.
func (c *hmpClient) finish(co *coro.Co, inv *hmp.Invocation[*coro.Co]) {
	inv.RunCo(co)
	c.flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy = false
	if c.closed {
		c.out.finish()
	}
	c.pump.Schedule()
}

func (c *hmpClient) flush() { c.out.write(c.mon.Take()) }

// close lets the reader end, and the output once no command runs.
func (c *hmpClient) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.inbox.Close()
	c.inbox.Put(c.came) // and so closes them
	c.came = nil
	c.named.Close()
	c.taken.Broadcast()
	if !c.busy {
		c.out.finish()
	}
}
