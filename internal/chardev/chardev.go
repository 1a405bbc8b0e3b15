package chardev

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/backplane-vm/backplane/internal/credentials"
	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A Conn is one connection of a character device, good until it or the device
// is closed. Read and Write may block; Close ends both from any goroutine.
type Conn interface {
	io.ReadWriteCloser
	// Peer names the other side, for logs: an address, or the backend.
	Peer() string
}

// A Receiver is a connection that descriptors can come over, as they can over
// unix sockets (SCM_RIGHTS). Those of the latest message that brought any are
// kept until they are taken; the connection's end closes them.
type Receiver interface {
	// TakeFD gives up the first of them and closes the others; the caller
	// owns it. ok is false if there is none.
	TakeFD() (fd int, ok bool)
	// ReturnFD takes one back that was not used.
	ReturnFD(fd int)
}

// A Handler has a connection to itself, on the connection's thread; the
// connection is closed when it returns.
type Handler func(t *sched.Thread, conn Conn)

// A Chardev is a character device. Its methods are for any goroutine.
type Chardev struct {
	w       *sched.World
	config  Config
	host    Host
	ring    *Ring            // of a ringbuf
	pty     *pty             // of a pty
	threads *sched.Group     // who accept, connect and serve
	line    *line            // of udp and serial
	hub     *hub             // of a hub
	log     *descriptor.File // gets a copy of the output; nil without logfile
	parent  context.Context
	inform  func(text string)        // tells who has started the machine; may be nil
	creds   *credentials.Credentials // of a socket that speaks TLS, else nil
	greeter *greeter                 // of a server that does

	mu       sync.Mutex
	ctx      context.Context
	cancel   context.CancelFunc // ends a connect
	listener net.Listener       // of a socket server
	bound    string             // its filename, resolved
	first    Conn               // connected already, not yet served
	handed   []Conn             // more of the kind, from AddClient
	conns    []Conn             // being served
	retry    *sched.Parker      // what serve waits on: to try again, or for room
	frontend bool
	many     bool                    // the frontend serves all clients at once
	claimed  bool                    // the frontend is still to come
	hangup   func()                  // tells the frontend that the device closes; may be nil
	swap     func(to *Chardev) error // moves the frontend to another device; nil if it cannot
	breaks   func()                  // tells the frontend of a break; may be nil
	leaving  bool                    // the frontend goes, the device stays
	closed   bool

	lost bool // complained that there is no connection; the serving thread's
}

// Host is what devices are made of: the terminal, and the descriptors behind
// paths of sets.
type Host struct {
	Terminal Terminal         // what stdio devices are; the zero Terminal refuses them
	Files    *descriptor.Sets // may be nil
	Objects  Objects          // what TLS needs; nil has none

	find      func(label string) (*Chardev, error) // a device that a hub may join
	patience  int64                                // how long a TLS handshake may take; 0 is handshakeTime
	attention *attention                           // for polling, see poller; nil does not poll
}

// Open makes the device: it opens the file, listens, or connects. It does not
// wait for a client (see [Chardev.WaitClient]) and reads nothing; connecting
// blocks until ctx is done. A descriptor in c's address is the device's from now
// on, also when Open fails.
func Open(ctx context.Context, w *sched.World, c Config, host Host) (*Chardev, error) {
	d := &Chardev{w: w, config: c, host: host, parent: ctx, retry: w.NewParker(), threads: w.NewGroup()}
	d.ctx, d.cancel = context.WithCancel(ctx)
	if err := d.open(); err != nil {
		d.cancel()
		d.config.Release()
		return nil, err
	}
	return d, nil
}

func (d *Chardev) open() (err error) {
	c, host := &d.config, &d.host
	if c.LogFile != "" {
		if d.log, err = host.openLog(c); err != nil {
			return err
		}
	}
	switch err = d.findCredentials(); {
	case err != nil:
	case c.Backend == "socket" && c.Server:
		err = d.listenSocket(d.ctx)
	case c.Backend == "socket" && c.ReconnectMS > 0:
		// The first attempt is Serve's: nobody waits for the server here.
	case c.Backend == "socket":
		d.first, err = d.dialSocket(d.ctx)
	case c.Backend == "ringbuf" || c.Backend == "memory":
		d.ring = NewRing(int(c.Size))
		d.first, err = d.reopen()
	case c.Backend == "pty":
		if d.pty, err = openPty(c.Path); err == nil {
			d.pty.prime()
		}
	case c.Backend == "file":
		d.first, err = host.openFile(c, c.Append)
	case c.Backend == "hub":
		d.hub, err = d.openHub()
	case c.Backend == "udp":
		d.line, err = c.dialUDP(d.ctx)
	case c.Backend == "serial":
		d.line, err = host.openSerial(c.Path)
	default:
		d.first, err = d.reopen()
	}
	if d.line != nil {
		d.first = d.line.conn()
	}
	if err != nil && d.log != nil {
		_ = d.log.Close()
	}
	return err
}

// reopen makes the connection of a device that has one at a time and has it
// always. It gives what was there before to the frontend before.
func (d *Chardev) reopen() (Conn, error) {
	switch d.config.Backend {
	case "ringbuf", "memory":
		return newSink(d.config.Backend, d.ring), nil
	case "stdio":
		return d.host.Terminal.open(d.config.Signal)
	case "file":
		return d.host.openFile(&d.config, true)
	case "pipe":
		return d.host.openPipe(d.config.Path)
	case "null":
		return newSink("null", io.Discard), nil
	case "udp", "serial":
		return d.line.conn(), nil
	case "hub":
		return nil, nil // it comes when one of its devices is connected
	}
	return nil, unknownBackend(d.config.Backend)
}

// Label returns the device's id.
func (d *Chardev) Label() string { return d.config.Label }

// Config returns what the device was made from.
func (d *Chardev) Config() Config { return d.config }

// Ring returns what a ringbuf keeps; nil for other backends.
func (d *Chardev) Ring() *Ring { return d.ring }

// Pty returns the path of a pseudo terminal's other side; "" for other backends.
func (d *Chardev) Pty() string {
	if d.pty == nil {
		return ""
	}
	return d.pty.name
}

// FrontendOpen reports whether somebody uses the device (member
// "frontend-open" of query-chardev).
func (d *Chardev) FrontendOpen() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.frontend
}

// SendBreak tells the frontend of a break. It does nothing if that does not
// know breaks.
func (d *Chardev) SendBreak() {
	d.mu.Lock()
	f := d.breaks
	d.mu.Unlock()
	if f != nil {
		f()
	}
}

// OnBreak sets what SendBreak calls, without locks, on any goroutine.
func (d *Chardev) OnBreak(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.breaks = f
}

// record adds p to the log of output.
func (d *Chardev) record(p []byte) {
	if d.log != nil {
		_, _ = d.log.Write(p) // a log that fails does not keep the guest from going on
	}
}

// Filename describes the device as query-chardev does: what it is, and for a
// socket where it is and whether a peer is there.
func (d *Chardev) Filename() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.filenameLocked()
}

func (d *Chardev) filenameLocked() string {
	switch d.config.Backend {
	case "pty":
		return "pty:" + d.pty.name
	case "socket":
	default:
		return d.config.Backend
	}
	for _, c := range d.conns {
		if s := socketOf(c); s != nil {
			return s.filename(&d.config)
		}
	}
	if s := socketOf(d.first); s != nil {
		return s.filename(&d.config)
	}
	if d.bound != "" {
		return "disconnected:" + d.bound
	}
	return "disconnected:" + d.config.protocol(d.config.Address.String())
}

// Addr returns where a socket server listens, with the port the host chose, and
// nil for other devices.
func (d *Chardev) Addr() net.Addr {
	if d.listener == nil {
		return nil
	}
	return d.listener.Addr()
}

// ErrClosed is the error of a device that was closed while it was waited for.
var ErrClosed = errors.New("character device is closed")

// WaitClient blocks until a socket server that was made with wait=on has its
// first client, which is then the first to be served. It returns at once for
// every other device, and [ErrClosed] if the device is closed meanwhile. announce
// is called first, with the filename, if there is anything to wait for.
func (d *Chardev) WaitClient(announce func(filename string)) error {
	d.mu.Lock()
	listener, waiting := d.listener, d.config.Server && d.config.Wait && d.first == nil && !d.closed
	name := d.filenameLocked()
	d.mu.Unlock()
	if !waiting {
		return nil
	}
	announce(name)
	if d.greeter != nil {
		return d.greeter.await()
	}
	c, err := listener.Accept()
	if err != nil {
		return ErrClosed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		c.Close()
		return ErrClosed
	}
	if d.first != nil { // from AddClient meanwhile
		d.handed = append(d.handed, d.talk(c))
	} else {
		d.first = d.talk(c)
	}
	return nil
}

// couldNot makes an error in QEMU's form of what the system said about a path.
func couldNot(what, path string, err error) *qerr.Error {
	return qerr.New("%s%s: %s", what, path, qerr.Reason(err))
}
