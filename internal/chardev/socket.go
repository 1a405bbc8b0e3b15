package chardev

import (
	"context"
	"errors"
	"net"

	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A socketConn is a connection of a socket device.
type socketConn struct {
	net.Conn
	inbox  descriptor.Inbox // what comes over a unix socket besides bytes
	poller *poller          // the reader's; nil if it is not to poll
}

// newSocketConn has the reader poll if a is not nil and the client is worth it.
func newSocketConn(c net.Conn, a *attention) *socketConn {
	s := &socketConn{Conn: c}
	if u, ok := c.(*net.UnixConn); ok && a != nil {
		s.poller = a.newPoller(u)
	}
	return s
}

// Read takes input, and the descriptors that come with it.
func (s *socketConn) Read(p []byte) (int, error) {
	if s.poller != nil {
		s.poller.before()
		defer s.poller.after()
	}
	if u, ok := s.Conn.(*net.UnixConn); ok {
		return s.inbox.Read(u, p)
	}
	return s.Conn.Read(p)
}

// Close ends the connection; descriptors that nobody has asked for are closed.
func (s *socketConn) Close() error {
	defer s.inbox.Close()
	return s.Conn.Close()
}

// TakeFD implements [Receiver].
func (s *socketConn) TakeFD() (fd int, ok bool) { return s.inbox.Take() }

// ReturnFD implements [Receiver].
func (s *socketConn) ReturnFD(fd int) { s.inbox.Return(fd) }

func (s *socketConn) Peer() string {
	if a := s.RemoteAddr(); a != nil && a.String() != "" {
		return a.String()
	}
	return "client"
}

// filename is what query-chardev says of a connected socket.
func (s *socketConn) filename(c *Config) string {
	server := ""
	if c.Server {
		server = ",server=on"
	}
	if _, ok := s.LocalAddr().(*net.UnixAddr); ok {
		a := c.Address
		if a.Unix == "" {
			a.Unix = unixPath(s.LocalAddr())
		}
		return a.unixString() + server
	}
	return c.protocol("tcp:"+s.LocalAddr().String()) + server + " <-> " + s.RemoteAddr().String()
}

// unixPath is a unix socket's address; "" if it has none.
func unixPath(a net.Addr) string {
	if name := a.String(); name != "@" { // Go's word for that
		return name
	}
	return ""
}

// protocol names what is spoken at a TCP address.
func (c *Config) protocol(tcp string) string {
	if c.Telnet && len(tcp) > 4 && tcp[:4] == "tcp:" {
		return "telnet:" + tcp[4:]
	}
	return tcp
}

// socketOf is the socket that carries c, nil if none does.
func socketOf(c Conn) *socketConn {
	switch c := c.(type) {
	case *socketConn:
		return c
	case *telnetConn:
		return c.socketConn
	}
	return nil
}

// dialSocket connects a socket client; it may block until ctx is done.
func (d *Chardev) dialSocket(ctx context.Context) (Conn, error) {
	c, err := d.config.dial(ctx)
	if err != nil {
		return nil, err
	}
	if d.creds == nil {
		return d.talk(c), nil
	}
	secure, err := d.secure(ctx, c)
	if err != nil {
		return nil, qerr.New("TLS handshake failed: %s", reason(ctx, err))
	}
	return d.wrap(secure), nil
}

// reason is why a handshake failed.
func reason(ctx context.Context, err error) string {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx).Error()
	case errors.Is(err, context.Canceled):
		return "the server took too long"
	}
	return err.Error()
}

// talk makes the device's connection of one that was made or accepted.
func (d *Chardev) talk(c net.Conn) Conn {
	d.tune(c)
	return d.wrap(c)
}

func (d *Chardev) tune(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetNoDelay(d.config.NoDelay || d.config.Telnet) // slower without, but not wrong
	}
}

func (d *Chardev) wrap(c net.Conn) Conn {
	s := newSocketConn(c, d.host.attention)
	if d.config.Telnet {
		return &telnetConn{socketConn: s, server: d.config.Server, onBreak: d.SendBreak}
	}
	return s
}

// listenSocket starts a socket server.
func (d *Chardev) listenSocket(ctx context.Context) error {
	l, name, err := d.config.listen(ctx)
	if err != nil {
		return err
	}
	d.listener, d.bound = l, d.config.protocol(name)+",server=on"
	if d.creds != nil {
		d.greeter = newGreeter(d)
	}
	return nil
}
