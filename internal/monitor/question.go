package monitor

import (
	"strings"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qmp"
)

// asks reports whether a request needs no context: it is an error, or its
// command looks at the machine without changing it, so that nothing follows
// from it that a loop has to do before the reply.
func asks(inv *qmp.Invocation[*coro.Co]) bool {
	switch name := inv.Name(); name {
	case "", qmp.CapabilitiesName:
		return true
	case "qom-get", "qom-list", "qom-list-types", "qom-list-properties", "device-list-properties":
		return !inv.Coroutine()
	default:
		return strings.HasPrefix(name, "query-") && !inv.Coroutine()
	}
}

// unoccupied reports whether the client has nothing queued or in work, so that
// the reader may answer what comes next itself. The policies of the past give
// everything to the dispatcher.
func (c *qmpClient) unoccupied() bool {
	if c.set.policy != Ours || !c.set.m.Started() { // clients may come before the machine runs
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.idle && len(c.queue) == 0 && !c.closed
}

// answer runs a request that asks on the reader's thread, under the BQL, and
// sends the reply: two hand-overs between threads less than through the
// dispatcher. The BQL is free only between pieces of work, never in a nested
// poll, so the command sees what one in the iohandler context would.
func (c *qmpClient) answer(inv *qmp.Invocation[*coro.Co]) {
	if !c.beginAnswer(inv.Name()) {
		return
	}
	defer c.endAnswer()
	switch name := inv.Name(); {
	case c.set.over.Load():
	case name == "":
		c.say(inv.Answer())
	case name == qmp.CapabilitiesName: // whose reply comes before the first event
		c.underBQL(name, func() { c.say(inv.Answer()) })
	default:
		var r qmp.Reply
		c.underBQL(name, func() {
			if !c.set.over.Load() {
				r = inv.Answer()
			}
		})
		c.say(r) // what it holds does not change any more
	}
}

// say sends a reply of the reader's.
func (c *qmpClient) say(r qmp.Reply) { c.reply = c.out.reply(r, c.reply) }

// underBQL runs f under the BQL. Of all clients that ask only one at a time waits
// for it, so that the guest has one of them before it at most, however many ask.
func (c *qmpClient) underBQL(name string, f func()) {
	c.set.asks.Lock()
	defer c.set.asks.Unlock()
	m := c.set.m
	m.BQL.Lock(c.asker, name)
	defer m.BQL.Unlock(c.asker)
	m.World.Note(sched.VerbEnters, name)
	defer m.World.Note(sched.VerbLeaves, name)
	f()
}

func (c *qmpClient) beginAnswer(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.asking, c.asked = name, c.set.m.World.Now()
	if name == "" {
		c.asking = "error"
	}
	return true
}

func (c *qmpClient) endAnswer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asking = ""
	if c.closed {
		c.wakeLocked() // the dispatcher has waited with the end
	}
}
