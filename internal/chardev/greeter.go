package chardev

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/backplane-vm/backplane/internal/sched"
)

const (
	// handshakeTime is how long a client may take to shake hands, in nanoseconds:
	// a round trip or two and some computing, with much to spare.
	handshakeTime = 10_000_000_000
	// maxShaking bounds the clients that shake hands at once, and maxWaiting those
	// that have and wait to be served; further ones wait in the listener's backlog.
	maxShaking = 64
	maxWaiting = 16
)

// A greeter accepts the clients of a server that speaks TLS and shakes hands
// with each on a thread of its own, so that one that does not come to an end
// holds nobody up. Who has shaken hands is left where [Chardev.next] finds it.
//
// Its lock comes before its device's.
type greeter struct {
	dev  *Chardev
	room *sched.Parker // what accepting waits on
	came *sched.Parker // what WaitClient waits on

	threads *sched.Group // who accepts, and who shake hands

	mu      sync.Mutex
	shaking map[net.Conn]struct{}
	closed  bool
}

func newGreeter(d *Chardev) *greeter {
	g := &greeter{dev: d, room: d.w.NewParker(), came: d.w.NewParker(), threads: d.w.NewGroup(), shaking: map[net.Conn]struct{}{}}
	g.threads.Go("chardev "+d.config.Label+" greeter", func(*sched.Thread) { g.run() })
	return g
}

// run accepts until the listener is closed.
func (g *greeter) run() {
	for {
		if g.full() {
			g.room.Park(sched.Forever)
			continue
		}
		c, err := g.dev.listener.Accept()
		switch {
		case err == nil:
			g.greet(c)
		case errors.Is(err, net.ErrClosed):
			return
		case errors.Is(err, os.ErrDeadlineExceeded): // for those who have no greeter
			g.dev.wakeListener(time.Time{})
		default:
			g.room.Park(g.dev.w.Now() + acceptPause)
		}
	}
}

func (g *greeter) full() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	d := g.dev
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(g.shaking) >= maxShaking || len(d.handed) >= maxWaiting || len(g.shaking)+len(d.conns) >= maxClients
}

// greet shakes hands with a client, which it takes over.
func (g *greeter) greet(c net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		c.Close()
		return
	}
	g.shaking[c] = struct{}{}
	g.threads.Go("chardev "+g.dev.config.Label+" handshake", func(*sched.Thread) {
		secure, err := g.dev.secure(g.dev.parent, c)
		if err == nil && !g.dev.welcome(secure) {
			secure.Close()
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.shaking, c)
		g.room.Unpark()
		g.came.Unpark()
	})
}

// await blocks until a client has shaken hands, or the device is closed.
func (g *greeter) await() error {
	d := g.dev
	for {
		d.mu.Lock()
		here, closed := d.first != nil || len(d.handed)+len(d.conns) > 0, d.closed
		d.mu.Unlock()
		switch {
		case closed:
			return ErrClosed
		case here:
			return nil
		}
		g.came.Park(sched.Forever)
	}
}

// close ends all handshakes; the listener is closed already. It returns when the
// threads have ended.
func (g *greeter) close() {
	g.mu.Lock()
	g.closed = true
	for c := range g.shaking {
		c.Close()
	}
	g.mu.Unlock()
	g.room.Unpark()
	g.came.Unpark()
	g.threads.Join()
}

// welcome leaves a client that has shaken hands where next finds it; false
// means that the device is closed.
func (d *Chardev) welcome(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch alone := d.first == nil && len(d.handed)+len(d.conns) == 0; {
	case d.closed:
		return false
	case alone && !d.frontend:
		d.first = d.wrap(c) // who comes counts as connected from the beginning
	default:
		d.handed = append(d.handed, d.wrap(c))
		d.retry.Unpark()
	}
	return true
}

// secure shakes hands on c, which it takes over, within handshakeTime.
func (d *Chardev) secure(ctx context.Context, c net.Conn) (net.Conn, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	limit := d.w.NewTimer(func() { cancel(os.ErrDeadlineExceeded) })
	limit.Arm(d.w.Now() + cmp.Or(d.host.patience, handshakeTime))
	defer limit.Stop()
	var conn secureConn
	var err error
	d.tune(c)
	conn.raw = c
	if d.config.Server {
		conn.Conn, err = d.creds.Accept(ctx, c, d.admit)
	} else {
		conn.Conn, err = d.creds.Connect(ctx, c, d.config.Host, d.admit)
	}
	if err != nil {
		return nil, err
	}
	return &conn, nil
}
