package monitor

import (
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// chardevConfig is the description of a device that chardev-add was given.
func chardevConfig(id string, b *api.ChardevBackend) (c chardev.Config, err error) {
	c = chardev.Config{Label: id, Backend: string(b.Type), Address: chardev.Address{FD: chardev.NoFD}}
	logged := func(file *string, keep *bool) { c.LogFile, c.LogAppend = value(file), value(keep) }
	switch {
	case b.File != nil:
		d := b.File.Data
		logged(d.Logfile, d.Logappend)
		c.Path, c.Input, c.Append = d.Out, value(d.In), value(d.Append)
	case b.Pipe != nil:
		d := b.Pipe.Data
		logged(d.Logfile, d.Logappend)
		c.Path = d.Device
	case b.Socket != nil:
		d := &b.Socket.Data
		logged(d.Logfile, d.Logappend)
		err = socketConfig(&c, d)
	case b.Udp != nil:
		d := &b.Udp.Data
		logged(d.Logfile, d.Logappend)
		err = udpConfig(&c, d)
	case b.Serial != nil:
		d := b.Serial.Data
		logged(d.Logfile, d.Logappend)
		c.Path = d.Device
	case b.Pty != nil:
		d := b.Pty.Data
		logged(d.Logfile, d.Logappend)
		c.Path = value(d.Path)
	case b.Null != nil:
		logged(b.Null.Data.Logfile, b.Null.Data.Logappend)
	case b.Mux != nil:
		d := b.Mux.Data
		logged(d.Logfile, d.Logappend)
		c.Shared = d.Chardev
	case b.Hub != nil:
		d := b.Hub.Data
		logged(d.Logfile, d.Logappend)
		c.Members = d.Chardevs
	case b.Stdio != nil:
		d := b.Stdio.Data
		logged(d.Logfile, d.Logappend)
		c.Signal = d.Signal == nil || *d.Signal
	case b.Ringbuf != nil:
		err = ringConfig(&c, &b.Ringbuf.Data)
	case b.Memory != nil:
		err = ringConfig(&c, &b.Memory.Data)
	}
	return c, err
}

func ringConfig(c *chardev.Config, d *api.ChardevRingbuf) error {
	c.LogFile, c.LogAppend = value(d.Logfile), value(d.Logappend)
	c.Size = uint64(value(d.Size)) // a negative one is no power of two, or too large
	return c.CheckSize()
}

func socketConfig(c *chardev.Config, d *api.ChardevSocket) error {
	c.Server = d.Server == nil || *d.Server
	c.Wait = c.Server && (d.Wait == nil || *d.Wait)
	c.Telnet, c.NoDelay = value(d.Telnet), value(d.Nodelay)
	c.TLS, c.Auth = value(d.TlsCreds), value(d.TlsAuthz)
	switch {
	case value(d.Tn3270):
		return unsupported("tn3270")
	case value(d.Websocket) && !c.Server:
		return qerr.New("Websocket client is not implemented")
	case value(d.Websocket):
		return unsupported("websocket")
	case d.Reconnect != nil && d.ReconnectMs != nil:
		return qerr.New("'reconnect' and 'reconnect-ms' are mutually exclusive")
	case d.Reconnect != nil:
		c.ReconnectMS = uint64(min(max(*d.Reconnect, 0), 1<<32)) * 1000 // CheckSocket has a lower bound
	default:
		c.ReconnectMS = uint64(max(value(d.ReconnectMs), 0))
	}
	if err := socketAddress(&c.Address, &d.Addr); err != nil {
		return err
	}
	return c.CheckSocket(d.Wait != nil)
}

func udpConfig(c *chardev.Config, d *api.ChardevUdp) error {
	err := socketAddress(&c.Address, &d.Remote)
	if c.Local.FD = chardev.NoFD; err == nil && d.Local != nil {
		err = socketAddress(&c.Local, d.Local)
	}
	if err != nil {
		return err
	}
	return c.CheckUDP()
}

func socketAddress(a *chardev.Address, addr *api.SocketAddressLegacy) (err error) {
	switch {
	case addr.Inet != nil:
		i := &addr.Inet.Data
		a.Host, a.Port, a.To, a.Numeric = i.Host, i.Port, uint64(value(i.To)), value(i.Numeric)
		a.Network, err = chardev.Network(i.Ipv4, i.Ipv6)
		a.KeepAlive, a.Multipath = value(i.KeepAlive), value(i.Mptcp)
	case addr.Unix != nil:
		u := &addr.Unix.Data
		a.Unix, a.Abstract = u.Path, value(u.Abstract)
		a.Loose = a.Abstract && u.Tight != nil && !*u.Tight
	case addr.Fd != nil: // the caller resolves it, as a client knows descriptors by its names only
		a.ByFD, a.FDName = true, addr.Fd.Data.Str
	}
	return err
}
