package chardev

import (
	"context"
	"net"
)

// A socketConn is a connection of a socket device.
type socketConn struct{ net.Conn }

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
			a.Unix = s.LocalAddr().String()
		}
		return a.unixString() + server
	}
	return c.protocol("tcp:"+s.LocalAddr().String()) + server + " <-> " + s.RemoteAddr().String()
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
	return d.talk(c), nil
}

// talk makes the device's connection of one that was made or accepted.
func (d *Chardev) talk(c net.Conn) Conn {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetNoDelay(d.config.NoDelay || d.config.Telnet) // slower without, but not wrong
	}
	s := &socketConn{c}
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
	return nil
}
