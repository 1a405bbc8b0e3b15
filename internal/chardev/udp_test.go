package chardev

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
)

// peer is a datagram socket of ours.
func peer(t *testing.T) *net.UDPConn {
	t.Helper()
	c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.MustParseAddrPort("127.0.0.1:0")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// udpOption is -chardev's for a device that talks to it.
func udpOption(c *net.UDPConn) string {
	host, port, _ := net.SplitHostPort(c.LocalAddr().String())
	return "udp,id=a,host=" + host + ",port=" + port
}

// datagram is the next one, and where it is from.
func datagram(t *testing.T, c *net.UDPConn) (string, netip.AddrPort) {
	t.Helper()
	buf := make([]byte, 1<<16)
	n, from, err := c.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n]), from
}

// TestUDP: a line goes in a datagram of its own, whatever one Write had; of what comes
// in nothing is lost, whatever one Read takes.
func TestUDP(t *testing.T) {
	c := peer(t)
	d := open(t, udpOption(c))
	if got := d.Filename(); got != "udp" {
		t.Errorf("filename %q", got)
	}
	long := strings.Repeat("x", maxDatagram) + "\n"
	read := make(chan string)
	err := d.Serve(true, func(_ *sched.Thread, conn Conn) {
		if conn.Peer() != c.LocalAddr().String() {
			t.Errorf("the peer is %s", conn.Peer())
		}
		if n, err := conn.Write([]byte("one\n\ntwo" + long)); n != 8+len(long) || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		var all []byte
		for p := make([]byte, 7); !bytes.HasSuffix(all, []byte("end")); {
			n, err := conn.Read(p)
			if err != nil {
				t.Error(err)
				break
			}
			all = append(all, p[:n]...)
		}
		read <- string(all)
	})
	if err != nil {
		t.Fatal(err)
	}
	var from netip.AddrPort
	var got []string
	for range 4 {
		var text string
		text, from = datagram(t, c)
		got = append(got, text)
	}
	if want := []string{"one\n", "\n", ("two" + long)[:maxDatagram], "xxx\n"}; !slices.Equal(got, want) {
		t.Errorf("datagrams %.20q", got)
	}
	for _, s := range []string{"first,", "", long[:20000], "end"} {
		if _, err := c.WriteToUDPAddrPort([]byte(s), from); err != nil {
			t.Fatal(err)
		}
	}
	if got := <-read; got != "first,"+long[:20000]+"end" {
		t.Errorf("%d bytes came in: %.20s", len(got), got)
	}
}

// TestUDPNobody: a peer that is not there is no error, and what one says between two
// frontends waits for the second.
func TestUDPNobody(t *testing.T) {
	c := peer(t)
	d := open(t, udpOption(c)+",localaddr=127.0.0.1")
	done := make(chan error, 1)
	say := func(_ *sched.Thread, conn Conn) {
		_, err := conn.Write([]byte("hello"))
		done <- err
		_, _ = io.Copy(io.Discard, conn)
	}
	if err := d.Serve(false, say); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	_, from := datagram(t, c)
	d.Detach()
	address := c.LocalAddr().(*net.UDPAddr)
	c.Close()
	for range 3 { // the second may be refused because of the first
		if err := d.Serve(false, say); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		d.Detach()
	}
	again, err := net.ListenUDP("udp4", address)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.WriteToUDPAddrPort([]byte("meanwhile\n"), from); err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	if got, _ := datagram(t, again); got != "meanwhile\n" {
		t.Errorf("%q", got)
	}
}

// TestUDPTakesOver: a device may have the address of the one that it replaces.
func TestUDPTakesOver(t *testing.T) {
	s := newSet(t)
	c := peer(t)
	free := peer(t)
	_, port, _ := net.SplitHostPort(free.LocalAddr().String())
	free.Close()
	option := udpOption(c) + ",localaddr=127.0.0.1,localport=" + port
	mustAdd(t, s, option)
	next, err := ParseOption(option)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Change(t.Context(), "a", next); err != nil {
		t.Error(err)
	}
}

func TestUDPErrors(t *testing.T) {
	s := newSet(t)
	unix := Address{Unix: "/x"}
	for _, c := range []struct {
		err  error
		want string
	}{
		{s.add("udp,id=a,port=x"), "address resolution failed for localhost:x: Servname not supported for ai_socktype"},
		{s.add("udp,id=a,port=1,localport=x"), "address resolution failed for (null):x: Servname not supported for ai_socktype"},
		{s.add("udp,id=a,host=127.0.0.1,port=1,localaddr=::1"), "address resolution failed for ::1:0: Address family for hostname not supported"},
		{s.add("udp,id=a,host=127.0.0.1,port=1,localaddr=192.0.2.1"), "Failed to bind socket: Cannot assign requested address"},
		{s.add("udp,id=a,host=::1,port=1,ipv4=on"), "address resolution failed for ::1:1: Address family for hostname not supported"},
		{second(s.Add(t.Context(), Config{Label: "a", Backend: "udp", Address: unix})), "socket type unsupported for datagram"},
		{second(s.Add(t.Context(), Config{Label: "a", Backend: "udp", Local: unix, Address: Address{Port: "1"}})), "socket type unsupported for datagram"},
		{second(s.Add(t.Context(), Config{Label: "a", Backend: "udp"})), "remote port not specified"},
		{s.add("udp,id=a,host=127.0.0.1,port=1,ipv6=on"), ""}, // as an address mapped to IPv6
	} {
		if text(c.err) != c.want {
			t.Errorf("%q, want %q", text(c.err), c.want)
		}
	}
}
