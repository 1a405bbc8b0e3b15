package chardev

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// NoFD is the FD of an Address without a descriptor.
const NoFD = -1

// An Address is where a socket is: a descriptor, else a unix socket's path,
// else a host and port, of TCP or UDP.
type Address struct {
	ByFD   bool
	FDName string // what the descriptor is called: a name or a number
	FD     int    // if ByFD: the descriptor itself, until somebody takes it over; else NoFD

	Unix     string
	Abstract bool // Unix is a name without a file
	Loose    bool // and padded with zeroes

	Host, Port string
	Network    string // "tcp", "tcp4" or "tcp6", of UDP too
	To         uint64 // a server takes the first free port from Port up to this one; 0 is none
	Numeric    bool   // names are not looked up
	KeepAlive  bool   // a client probes a silent connection
	Multipath  bool   // multipath TCP where there is one
}

// maxUnixPath is what fits a sockaddr_un beside its NUL.
const maxUnixPath = 107

// maxReconnect bounds the wait between two attempts, an hour.
const maxReconnect = 3600_000

// socket reads the options of the socket backend.
func (c *Config) socket(o *opts.Opts, fds FDs) error {
	for _, name := range []string{"tn3270", "websocket"} {
		if on(o, name, false) {
			return missing(name + "=on")
		}
	}
	for _, name := range []string{"localaddr", "localport"} {
		if _, ok := o.Get(name); ok {
			return missing(name + "=")
		}
	}
	_, seconds := o.Get("reconnect")
	_, millis := o.Get("reconnect-ms")
	if seconds && millis {
		return qerr.New("'reconnect' and 'reconnect-ms' are mutually exclusive")
	}
	n, _ := o.Number("reconnect", 0) // checked
	c.ReconnectMS, _ = o.Number("reconnect-ms", min(n, maxReconnect/1000)*1000)
	c.Telnet, c.NoDelay = on(o, "telnet", false), on(o, "nodelay", !on(o, "delay", true))
	c.TLS, c.Auth = o.String("tls-creds", ""), o.String("tls-authz", "")
	_, delay := o.Get("delay")
	_, nodelay := o.Get("nodelay")
	if delay && nodelay {
		return qerr.New("'delay' and 'nodelay' are mutually exclusive")
	}
	c.Server = on(o, "server", false)
	_, hasWait := o.Get("wait")
	c.Wait = on(o, "wait", c.Server)
	if err := c.address(o, fds); err != nil {
		return err
	}
	return c.CheckSocket(hasWait)
}

// address reads where a socket is.
func (c *Config) address(o *opts.Opts, fds FDs) (err error) {
	if c.Network, err = Network(given(o, "ipv4"), given(o, "ipv6")); err != nil {
		return err
	}
	path, hasPath := o.Get("path")
	host, hasHost := o.Get("host")
	_, hasFD := o.Get("fd")
	switch {
	case hasPath && hasHost || hasPath && hasFD || hasHost && hasFD:
		return qerr.New("None or one of 'path', 'fd' or 'host' option required.")
	case hasPath && path != "":
		c.Unix, c.Abstract = path, on(o, "abstract", false)
		c.Loose = c.Abstract && !on(o, "tight", true)
	case hasHost:
		port, ok := o.Get("port")
		if !ok {
			return qerr.New("chardev: socket: no port given")
		}
		c.Host, c.Port = host, port
		c.To, _ = o.Number("to", 0) // checked
	default:
		c.ByFD, c.FDName = true, o.String("fd", "")
		return c.Resolve(fds)
	}
	return nil
}

// FDs gives the descriptor of a name; the caller owns it.
type FDs func(name string) (int, error)

// InheritedFD is the [FDs] of the command line: descriptors are numbers.
func InheritedFD(name string) (int, error) {
	n, err := strconv.ParseInt(name, 10, 32)
	switch {
	case err != nil:
		return NoFD, qerr.New("Unable to parse FD number %s", name)
	case n < 0:
		return NoFD, notSocket(name)
	}
	return int(n), nil
}

// Later is the [FDs] of who resolves the descriptor when everything else has
// been checked, with [Address.Resolve].
func Later(string) (int, error) { return NoFD, nil }

// Resolve gets the descriptor that the address names, if it names one.
func (a *Address) Resolve(fds FDs) (err error) {
	if a.ByFD {
		a.FD, err = fds(a.FDName)
	}
	return err
}

// Release closes the descriptor if nobody has taken it over.
func (a *Address) Release() {
	if fd := a.take(); a.ByFD && fd >= 0 {
		_ = unix.Close(fd)
	}
}

// take gives the descriptor up.
func (a *Address) take() int {
	fd := a.FD
	a.FD = NoFD
	return fd
}

// CheckSocket refuses a socket whose members do not go together. waitGiven says
// that Wait was asked for, rather than the default.
func (c *Config) CheckSocket(waitGiven bool) error {
	c.ReconnectMS = min(c.ReconnectMS, maxReconnect)
	switch {
	case c.ByFD && c.ReconnectMS != 0:
		return qerr.New("'reconnect' option is incompatible with 'fd' address type")
	case c.Auth != "" && c.TLS == "":
		return qerr.New("'tls_authz' option requires 'tls_creds' option")
	case c.Server && c.ReconnectMS != 0:
		return qerr.New("'reconnect' option is incompatible with socket in server listen mode")
	case !c.Server && waitGiven:
		return qerr.New("'wait' option is incompatible with socket in client connect mode")
	case len(c.Unix) > maxUnixPath:
		return qerr.New("UNIX socket path '%s' is too long", c.Unix).
			WithHint("Path must be less than %d bytes\n", maxUnixPath+1)
	}
	return nil
}

// Network is the Network of an Address of which ipv4 and ipv6 are wanted, or not;
// nil leaves it open.
func Network(ipv4, ipv6 *bool) (string, error) {
	has := func(b *bool, v bool) bool { return b != nil && *b == v }
	switch {
	case has(ipv4, false) && has(ipv6, false):
		return "", qerr.New("Cannot disable IPv4 and IPv6 at same time")
	case has(ipv4, true) && has(ipv6, true):
		return "tcp", nil
	case has(ipv6, true) || has(ipv4, false):
		return "tcp6", nil
	case has(ipv4, true) || has(ipv6, false):
		return "tcp4", nil
	}
	return "tcp", nil
}

// unixName is the address as Go's net package wants it.
func (a *Address) unixName() string {
	switch {
	case a.Loose:
		return "@" + a.Unix + strings.Repeat("\x00", maxUnixPath-len(a.Unix))
	case a.Abstract:
		return "@" + a.Unix
	}
	return a.Unix
}

// String is the address as query-chardev says it, before a connection.
func (a *Address) String() string {
	switch {
	case a.ByFD:
		return "fd:" + a.FDName
	case a.Unix != "":
		return a.unixString()
	}
	return "tcp:" + net.JoinHostPort(a.Host, a.Port)
}

func (a *Address) unixString() string {
	s := "unix:" + a.Unix
	if a.Abstract {
		s += ",abstract=on"
		if !a.Loose {
			s += ",tight=on"
		}
	}
	return s
}

// dial connects; it blocks until that is done or ctx is.
func (a *Address) dial(ctx context.Context) (net.Conn, error) {
	if a.ByFD {
		return a.adopt()
	}
	d := net.Dialer{KeepAlive: -1}
	if a.KeepAlive {
		d.KeepAlive = 0 // the system's own
	}
	d.SetMultipathTCP(a.Multipath)
	if a.Unix != "" {
		conn, err := d.DialContext(ctx, "unix", a.unixName())
		if err != nil {
			return nil, couldNot("Failed to connect to ", "'"+a.Unix+"'", err)
		}
		return conn, nil
	}
	if err := a.checkNumeric(); err != nil {
		return nil, err
	}
	conn, err := d.DialContext(ctx, a.Network, net.JoinHostPort(a.Host, a.Port))
	if err != nil {
		if e := a.unresolved(err); e != nil {
			return nil, e
		}
		return nil, couldNot("Failed to connect to ", "'"+a.Host+":"+a.Port+"'", err)
	}
	return conn, nil
}

// checkNumeric refuses a name where addresses alone are wanted.
func (a *Address) checkNumeric() error {
	if a.Numeric && net.ParseIP(a.Host) == nil && a.Host != "" {
		return qerr.New("address resolution failed for %s:%s: Name or service not known", a.Host, a.Port)
	}
	return nil
}

// unresolved is the error for a host or port that has no address, or nil.
func (a *Address) unresolved(err error) error {
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
	return qerr.New("address resolution failed for %s:%s: %s", a.Host, a.Port, what)
}

// adopt takes over a descriptor that is a connected socket.
func (a *Address) adopt() (net.Conn, error) {
	conn, err := adoptSocket(a.take())
	if err != nil {
		return nil, notSocket(a.FDName)
	}
	return conn, nil
}

func notSocket(name string) error { return qerr.New("File descriptor '%s' is not a socket", name) }

// adoptSocket takes fd over and makes a connection of it.
func adoptSocket(fd int) (net.Conn, error) {
	if fd < 0 {
		return nil, unix.EBADF
	}
	f := os.NewFile(uintptr(fd), "fd")
	defer f.Close()
	return net.FileConn(f)
}

// listen starts a server and returns what query-chardev calls it.
func (a *Address) listen(ctx context.Context) (net.Listener, string, error) {
	switch {
	case a.ByFD:
		return a.adoptListener()
	case a.Abstract:
		l, err := net.Listen("unix", a.unixName())
		if err != nil {
			return nil, "", couldNot("Failed to bind socket to ", a.Unix, err)
		}
		return l, a.unixString(), nil
	case a.Unix != "":
		if err := removeStale(a.Unix); err != nil {
			return nil, "", couldNot("Failed to unlink socket ", a.Unix, err)
		}
		l, err := net.Listen("unix", a.Unix)
		if err != nil {
			return nil, "", couldNot("Failed to bind socket to ", a.Unix, err)
		}
		return l, "unix:" + a.Unix, nil
	}
	return a.listenTCP(ctx)
}

// adoptListener takes over a descriptor that is a bound socket, whether or not
// it listens yet.
func (a *Address) adoptListener() (net.Listener, string, error) {
	fd := a.take()
	if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
		return nil, "", notSocket(a.FDName)
	}
	f := os.NewFile(uintptr(fd), "fd")
	defer f.Close()
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		return nil, "", qerr.New("Failed to listen on fd socket: %s", qerr.Reason(err))
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, "", notSocket(a.FDName)
	}
	if u, ok := l.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // who made the socket removes it
		return l, "unix:" + l.Addr().String(), nil
	}
	return l, "tcp:" + l.Addr().String(), nil
}

func (a *Address) listenTCP(ctx context.Context) (net.Listener, string, error) {
	first, err := net.DefaultResolver.LookupPort(ctx, "tcp", a.Port)
	if err != nil {
		return nil, "", qerr.New("address resolution failed for %s:%s: Servname not supported for ai_socktype", a.Host, a.Port)
	}
	if err := a.checkNumeric(); err != nil {
		return nil, "", err
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(a.Multipath)
	var l net.Listener
	for port := first; ; port++ {
		l, err = lc.Listen(ctx, a.Network, net.JoinHostPort(a.Host, strconv.Itoa(port)))
		if err == nil || uint64(port) >= min(a.To, 65535) {
			break
		}
	}
	if err != nil {
		if e := a.unresolved(err); e != nil {
			return nil, "", e
		}
		return nil, "", qerr.New("Failed to find an available port: %s", qerr.Reason(err))
	}
	return l, "tcp:" + l.Addr().String(), nil
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
