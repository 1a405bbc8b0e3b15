package monitor

import (
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/qmp"
)

// A holder is a client of a monitor that descriptors may come from. What it has
// given names to is its own and is closed with it.
type holder interface {
	// takeFD gives up what came with the command in work; the caller owns it.
	takeFD() (fd int, ok bool)
	names() *descriptor.Names
}

// holding returns who has sent a command; nil if it came by no connection.
func holding(call *qmp.Call) holder {
	if call == nil {
		return nil
	}
	h, _ := call.Monitor.(holder)
	return h
}

// humanHolding is holding for human commands. What human-monitor-command runs
// has come by no terminal, as in QEMU.
func humanHolding(call *hmp.Call) holder {
	h, _ := call.Owner.(holder)
	return h
}

// named gives up the descriptor that a client has called name.
func named(from holder, name string) (int, error) {
	if from == nil {
		return -1, descriptor.NotNamed(name)
	}
	return from.names().Take(name)
}

// namedFDs is named for addresses of sockets.
func namedFDs(from holder) chardev.FDs {
	return func(name string) (int, error) { return named(from, name) }
}

// incoming is what descriptors come in by: a connection that brings none if it
// is no unix socket.
func incoming(conn any) chardev.Receiver {
	if r, ok := conn.(chardev.Receiver); ok {
		return r
	}
	return new(closed)
}

// closed is the Receiver of connections that bring no descriptors.
type closed struct{}

func (*closed) TakeFD() (fd int, ok bool) { return -1, false }
func (*closed) ReturnFD(int)              {}

// takesFD reports whether a command asks for the descriptor that came with it.
func takesFD(command string) bool { return command == "getfd" || command == "add-fd" }

// claim keeps for q what has come, if that is what q is about: what comes with
// a later command is not to take its place while q waits for its turn.
func (c *qmpClient) claim(q *request) {
	if takesFD(q.Command()) {
		q.fd, q.hasFD = c.incoming.TakeFD()
	}
}

// giveBack undoes claim for a command that was refused. The next one may have
// the descriptor, as if this one had not come.
func (c *qmpClient) giveBack(q *request) {
	if q.hasFD {
		q.hasFD = false
		c.incoming.ReturnFD(q.fd)
	}
}

// takeFD implements holder.
func (c *qmpClient) takeFD() (fd int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil || !c.current.hasFD {
		return -1, false
	}
	c.current.hasFD = false
	return c.current.fd, true
}

func (c *qmpClient) names() *descriptor.Names { return &c.named }

// takeFD implements holder.
func (c *hmpClient) takeFD() (fd int, ok bool) { return c.inbox.Take() }

func (c *hmpClient) names() *descriptor.Names { return &c.named }
