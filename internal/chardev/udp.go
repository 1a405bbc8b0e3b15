package chardev

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// maxDatagram is what fits a datagram over IPv4. It is also how much is read of one:
// all.
const maxDatagram = 65507

// udp reads the options of the udp backend.
func (c *Config) udp(o *opts.Opts) (err error) {
	if c.Port = o.String("port", ""); c.Port == "" {
		return qerr.New("chardev: udp: remote port not specified")
	}
	c.Host = o.String("host", "")
	c.Local = Address{FD: NoFD, Host: o.String("localaddr", ""), Port: o.String("localport", "")}
	c.Network, err = Network(given(o, "ipv4"), given(o, "ipv6"))
	return err
}

// CheckUDP refuses addresses that datagrams cannot have.
func (c *Config) CheckUDP() error {
	switch {
	case !c.Address.inet() || !c.Local.inet():
		return qerr.New("socket type unsupported for datagram")
	case c.Port == "":
		return qerr.New("remote port not specified")
	}
	return nil
}

// A udpSocket talks in datagrams to one peer. Nobody being there to take them is no
// error: they are lost, as any may be.
type udpSocket struct {
	*net.UDPConn
	buf  []byte // of maxDatagram bytes, made when first used
	rest []byte // what has not been read of the last datagram; in buf
}

// dialUDP binds a socket and tells it its peer; it may block, to look up names,
// until ctx is done.
func (c *Config) dialUDP(ctx context.Context) (*line, error) {
	if err := c.CheckUDP(); err != nil {
		return nil, err
	}
	host := c.Host
	if host == "" {
		host = "localhost"
	}
	remote, err := lookupUDP(ctx, c.Network, host, c.Port)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{Control: shareAddress}
	if c.Local.Host != "" || c.Local.Port != "" {
		local, err := c.localUDP(ctx, remote)
		if err != nil {
			return nil, err
		}
		dialer.LocalAddr = net.UDPAddrFromAddrPort(local)
	}
	conn, err := dialer.DialContext(ctx, "udp", remote.String())
	if err != nil {
		var call *os.SyscallError
		if errors.As(err, &call) && call.Syscall == "bind" {
			return nil, couldNot("Failed to bind socket", "", err)
		}
		return nil, couldNot("Failed to connect to ", "'"+host+":"+c.Port+"'", err)
	}
	return &line{lasting: &udpSocket{UDPConn: conn.(*net.UDPConn)}, peer: remote.String()}, nil
}

// inet tells of an address that is a host and a port.
func (a *Address) inet() bool { return !a.ByFD && a.Unix == "" }

// localUDP is where the socket is bound: an address of the remote one's family.
func (c *Config) localUDP(ctx context.Context, remote netip.AddrPort) (netip.AddrPort, error) {
	network, host, port := "tcp4", c.Local.Host, c.Local.Port
	any := netip.IPv4Unspecified()
	if remote.Addr().Is6() {
		network, any = "tcp6", netip.IPv6Unspecified()
	}
	if port == "" {
		port = "0"
	}
	if host != "" {
		return lookupUDP(ctx, network, host, port)
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return netip.AddrPort{}, unresolvable("(null)", port, "Servname not supported for ai_socktype")
	}
	return netip.AddrPortFrom(any, uint16(number)), nil
}

// lookupUDP finds an address that network, as an [Address] has it, allows. Where
// IPv6 is asked for and there is IPv4 only it takes that, as an address mapped to
// IPv6 does.
func lookupUDP(ctx context.Context, network, host, port string) (netip.AddrPort, error) {
	number, err := net.DefaultResolver.LookupPort(ctx, "udp", port)
	if err != nil {
		return netip.AddrPort{}, unresolvable(host, port, "Servname not supported for ai_socktype")
	}
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.AddrPort{}, unresolvable(host, port, "Name or service not known")
	}
	for i := range all {
		all[i] = all[i].Unmap()
	}
	best := slices.IndexFunc(all, func(a netip.Addr) bool {
		return network == "tcp" || a.Is4() == (network == "tcp4")
	})
	switch {
	case best < 0 && network == "tcp6":
		best = 0
	case best < 0:
		return netip.AddrPort{}, unresolvable(host, port, "Address family for hostname not supported")
	}
	return netip.AddrPortFrom(all[best], uint16(number)), nil
}

func unresolvable(host, port, why string) error {
	return qerr.New("address resolution failed for %s:%s: %s", host, port, why)
}

// shareAddress lets a device that takes another's place have its address before
// that is gone.
func shareAddress(_, _ string, c syscall.RawConn) (err error) {
	failed := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	})
	return errors.Join(err, failed)
}

// Read takes what is left of a datagram, or waits for the next.
func (u *udpSocket) Read(p []byte) (int, error) {
	if u.buf == nil {
		u.buf = make([]byte, maxDatagram)
	}
	for len(u.rest) == 0 {
		n, err := u.UDPConn.Read(u.buf)
		if err != nil && !undelivered(err) {
			return 0, err
		}
		u.rest = u.buf[:max(0, n)]
	}
	n := copy(p, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}

// Write sends p, a datagram a line.
func (u *udpSocket) Write(p []byte) (n int, err error) {
	for n < len(p) {
		size := datagramSize(p[n:])
		if err := u.send(p[n : n+size]); err != nil {
			return n, err
		}
		n += size
	}
	return n, nil
}

// datagramSize is how much of p goes in one datagram: a line, with its end.
func datagramSize(p []byte) int {
	p = p[:min(len(p), maxDatagram)]
	if i := bytes.IndexByte(p, '\n'); i >= 0 {
		return i + 1
	}
	return len(p)
}

// send sends one datagram. The kernel may refuse it to tell that an earlier one has
// not been delivered; it takes the second attempt then.
func (u *udpSocket) send(p []byte) error {
	_, err := u.UDPConn.Write(p)
	if undelivered(err) {
		_, err = u.UDPConn.Write(p)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// undelivered tells of an error that is about a datagram that was sent before.
func undelivered(err error) bool {
	for _, errno := range []unix.Errno{unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EPROTO, unix.ENOPROTOOPT, unix.EACCES} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
