package monitor

import (
	"io"
	"slices"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/internal/sched"
)

// hmpReadSize is how many typed bytes are taken from a terminal at once. While a
// command waits, reading goes on until as many are kept, as a kernel's terminals
// do; the rest stays in the socket.
const hmpReadSize = 4096

// hmpClient is one terminal of a human monitor. The conversation belongs to
// the BQL: the reader thread hands what was typed to a bottom half of the
// iohandler context and waits until it has been taken. A coroutine command
// suspends this one conversation; everything else goes on. Meanwhile the reader
// looks out for Ctrl-C: see heedLocked.
type hmpClient struct {
	set   *Set
	label string // for people
	out   *output
	mon   *hmp.Monitor[*coro.Co] // BQL
	pump  *aio.BH
	inbox descriptor.Inbox // what came with what was taken last
	named descriptor.Names // what getfd has taken

	mu      sched.Mutex
	typed   []byte // handed over and not yet taken: the reader appends, work removes; guarded by mu
	came    []int  // descriptors that came with typed; guarded by mu
	taken   *sched.Cond
	closed  bool     // guarded by mu
	busy    bool     // a command runs; guarded by mu
	command *coro.Co // what runs, if it can be given up; guarded by mu
	turned  bool     // the focus of a shared terminal moved, not yet taken; guarded by mu
	focus   bool     // to us; guarded by mu
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
	if telnet, ok := conn.(chardev.Interrupter); ok {
		telnet.InterruptAs(interruptKey)
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
			c.mu.Lock()
			defer c.mu.Unlock()
			c.awaitLocked(func() bool { return len(c.typed) == 0 }) // a script's end is not the end of its commands
			return
		}
	}
}

// hand gives p, and the descriptors that came with it, to the conversation and
// blocks until more may be read; it reports whether the client is still open.
func (c *hmpClient) hand(p []byte, came ...int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	p = c.heedLocked(p)
	if len(came) > 0 { // they are for the lines that they came with
		c.awaitLocked(func() bool { return len(c.typed) == 0 })
	}
	if c.closed {
		c.inbox.Put(came) // and so closes them
		return false
	}
	c.typed, c.came = append(c.typed, p...), append(c.came, came...)
	c.pump.Schedule()
	c.awaitLocked(func() bool {
		return len(c.typed) == 0 || c.command != nil && len(c.came) == 0 && len(c.typed) < hmpReadSize
	})
	return !c.closed
}

// awaitLocked blocks until done, or the client is closed.
func (c *hmpClient) awaitLocked(done func() bool) {
	for !c.closed && !done() {
		c.taken.Wait()
	}
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
		c.typed = c.typed[n:]
		c.busy = inv != nil && inv.Coroutine()
		if c.busy && !c.set.policy.humanNests() {
			c.spawnLocked(inv)
		}
		c.taken.Broadcast()
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
			return
		default:
			inv.Run()
			c.flush()
		}
	}
}

// spawnLocked starts a coroutine command.
func (c *hmpClient) spawnLocked(inv *hmp.Invocation[*coro.Co]) {
	c.command = c.set.coroutineContext().Spawn("hmp-command", func(co *coro.Co) { c.finish(co, inv) })
	c.typed = c.heedLocked(c.typed)
}

// finish runs a coroutine command and lets the conversation go on.
func (c *hmpClient) finish(co *coro.Co, inv *hmp.Invocation[*coro.Co]) {
	inv.RunCo(co)
	c.flush()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy, c.command = false, nil
	if c.closed {
		c.out.finish()
	}
	c.pump.Schedule()
}

// interruptKey is Ctrl-C: at the prompt a key of the editor's, while a command waits
// what gives that up.
const interruptKey = 'C' & 31

// heedLocked looks for Ctrl-C in what was typed, p, while a command waits: that is
// given up, whatever was typed before the key, which remains. It returns what is
// for the conversation.
func (c *hmpClient) heedLocked(p []byte) []byte {
	if c.command == nil || !slices.Contains(p, interruptKey) {
		return p
	}
	c.command.Cancel(errCancelled)
	return slices.DeleteFunc(p, func(b byte) bool { return b == interruptKey })
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
