package chardev

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"

	"github.com/backplane-vm/backplane/qapi/qerr"
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
func (s *socketConn) filename(c Config) string {
	server := ""
	if c.Server {
		server = ",server=on"
	}
	if _, ok := s.LocalAddr().(*net.UnixAddr); ok {
		path := c.Path
		if path == "" {
			path = s.LocalAddr().String()
		}
		return "unix:" + path + server
	}
	return "tcp:" + s.LocalAddr().String() + server + " <-> " + s.RemoteAddr().String()
}

// unconnected is what query-chardev says of a socket client, after "disconnected:".
func unconnected(c Config) string {
	if c.Path != "" {
		return "unix:" + c.Path
	}
	return "tcp:" + c.Host + ":" + c.Port
}

// dial connects a socket client; it may block.
func dial(c Config) (Conn, error) {
	if c.FD >= 0 {
		return adopt(c.FD)
	}
	if c.Path != "" {
		conn, err := net.Dial("unix", c.Path)
		if err != nil {
			return nil, couldNot("Failed to connect to ", "'"+c.Path+"'", err)
		}
		return &socketConn{conn}, nil
	}
	where := net.JoinHostPort(c.Host, c.Port)
	conn, err := net.Dial(c.Network, where)
	if err != nil {
		if e := unresolved(c, err); e != nil {
			return nil, e
		}
		return nil, couldNot("Failed to connect to ", "'"+c.Host+":"+c.Port+"'", err)
	}
	return &socketConn{conn}, nil
}

// unresolved is the error for a host or port that has no address, or nil.
func unresolved(c Config, err error) error {
	var dns *net.DNSError
	var addr *net.AddrError
	var what string
	switch {
	case errors.As(err, &dns) && dns.Err == "unknown port":
		what = "Servname not supported for ai_socktype"
	case errors.As(err, &dns):
		what = "Name or service not known"
	case errors.As(err, &addr):
		what = addr.Err
	default:
		return nil
	}
	return qerr.New("address resolution failed for %s:%s: %s", c.Host, c.Port, what)
}

// adopt takes over an inherited descriptor that is a connected socket.
func adopt(fd int) (Conn, error) {
	f := os.NewFile(uintptr(fd), "fd")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, qerr.New("File descriptor '%d' is not a socket", fd)
	}
	return &socketConn{conn}, nil
}

// listen starts a socket server and returns its filename as query-chardev says
// it.
func listen(c Config) (net.Listener, string, error) {
	switch {
	case c.FD >= 0:
		f := os.NewFile(uintptr(c.FD), "fd")
		defer f.Close()
		l, err := net.FileListener(f)
		if err != nil {
			return nil, "", qerr.New("File descriptor '%d' is not a socket", c.FD)
		}
		if u, ok := l.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false) // who made the socket removes it
			return l, "unix:" + l.Addr().String() + ",server=on", nil
		}
		return l, "tcp:" + l.Addr().String() + ",server=on", nil
	case c.Path != "":
		if err := removeStale(c.Path); err != nil {
			return nil, "", couldNot("Failed to unlink socket ", c.Path, err)
		}
		l, err := net.Listen("unix", c.Path)
		if err != nil {
			return nil, "", couldNot("Failed to bind socket to ", c.Path, err)
		}
		return l, "unix:" + c.Path + ",server=on", nil
	}
	return listenTCP(c)
}

func listenTCP(c Config) (net.Listener, string, error) {
	if _, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", c.Port); err != nil {
		return nil, "", qerr.New("address resolution failed for %s:%s: Servname not supported for ai_socktype", c.Host, c.Port)
	}
	l, err := net.Listen(c.Network, net.JoinHostPort(c.Host, c.Port))
	if err != nil {
		if e := unresolved(c, err); e != nil {
			return nil, "", e
		}
		return nil, "", qerr.New("Failed to find an available port: %s", reason(err))
	}
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, "", errors.Join(err, l.Close())
	}
	return l, "tcp:" + host + ":" + port + ",server=on", nil
}

// removeStale unlinks a socket that an earlier process left. What is no socket
// stays, and binding to it fails: QEMU would remove that too.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSocket != 0 {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
