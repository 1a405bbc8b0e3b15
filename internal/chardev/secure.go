package chardev

import (
	"crypto/tls"
	"net"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/credentials"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Objects are what sockets that speak TLS name: the machine's objects. Its
// methods are for any goroutine that holds no lock, and may block.
type Objects interface {
	// Credentials finds TLS credentials; the error has QEMU's words.
	Credentials(id string) (*credentials.Credentials, error)
	// Admit asks the object that decides on clients; an error is a no.
	Admit(authz, identity string) error
}

// findCredentials looks for the credentials of a socket that speaks TLS, and
// refuses what does not go together with them.
func (d *Chardev) findCredentials() (err error) {
	c := &d.config
	if c.TLS == "" {
		return nil
	}
	if d.host.Objects == nil {
		return qerr.New("No TLS credentials with id '%s'", c.TLS)
	}
	if d.creds, err = d.host.Objects.Credentials(c.TLS); err != nil {
		return err
	}
	switch {
	case c.Server && !d.creds.Server():
		return qerr.New("Expected TLS credentials for a server endpoint")
	case !c.Server && d.creds.Server():
		return qerr.New("Expected TLS credentials for a client endpoint")
	case c.ByFD && !c.Server:
		return qerr.New("'tls_creds' option is incompatible with 'fd' address type as client")
	case c.Unix != "":
		return qerr.New("'tls_creds' option is incompatible with 'unix' address type")
	case c.Auth != "" && !d.creds.VerifiesPeer():
		return qerr.New("'tls_authz' option requires credentials with verify-peer=on, or no client would have a name")
	}
	return nil
}

// admit asks who decides on clients, if there is somebody.
func (d *Chardev) admit(identity string) error {
	if d.config.Auth == "" {
		return nil
	}
	return d.host.Objects.Admit(d.config.Auth, identity)
}

// A secureConn is a connection that speaks TLS.
type secureConn struct {
	*tls.Conn
	raw net.Conn
}

// Close ends the connection. It tells the other end first unless it would have
// to wait for that.
func (s *secureConn) Close() error {
	if writable(s.raw) {
		return s.Conn.Close()
	}
	return s.raw.Close()
}

// writable reports whether a short write would not block.
func writable(c net.Conn) (ready bool) {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return false
	}
	err = raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(p, 0)
		ready = n == 1 && err == nil && p[0].Revents&(unix.POLLERR|unix.POLLHUP) == 0
	})
	return ready && err == nil
}
