package chardev

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
)

// newHub is a Set with the hub "h" over n unix servers, whose paths it returns, and
// others that the options add.
func newHub(t *testing.T, n int, others ...string) (s *Set, paths []string) {
	t.Helper()
	s = newSet(t)
	hub := "hub,id=h"
	for i := range n {
		id := "s" + strconv.Itoa(i)
		paths = append(paths, filepath.Join(t.TempDir(), id))
		mustAdd(t, s, "socket,id="+id+",server=on,wait=off,path="+paths[i])
		hub += ",chardevs." + strconv.Itoa(i) + "=" + id
	}
	for i, o := range others {
		mustAdd(t, s, o)
		_, id, _ := strings.Cut(o, "id=")
		id, _, _ = strings.Cut(id, ",")
		hub += ",chardevs." + strconv.Itoa(n+i) + "=" + id
	}
	mustAdd(t, s, hub)
	return s, paths
}

// TestHub: the input of any device comes in, and output goes to all that are connected.
func TestHub(t *testing.T) {
	s, paths := newHub(t, 2, "ringbuf,id=r")
	d, err := s.Use("h", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(true, echo); err != nil { // connected: a ring always is
		t.Fatal(err)
	}
	one := dialUnix(t, paths[0])
	if got := say(t, one, "of the first"); got != "of the first" {
		t.Error(got)
	}
	two := dialUnix(t, paths[1])
	if got := say(t, two, "of the second"); got != "of the second" {
		t.Error(got)
	}
	if got, err := bufio.NewReader(one).ReadString('\n'); got != "of the second\n" {
		t.Errorf("the first heard %q, %v", got, err)
	}
	ring, err := s.Ring("r")
	if err != nil {
		t.Fatal(err)
	}
	d.Detach() // what was written is in the ports, if not in the ring
	if err := s.Remove("h"); err != nil {
		t.Fatal(err)
	}
	if got := string(ring.Take(1000)); got != "of the first\nof the second\n" {
		t.Errorf("the ring has %q", got)
	}
}

// TestHubConnected: a hub is connected while one of its devices is.
func TestHubConnected(t *testing.T) {
	s, paths := newHub(t, 2)
	d, err := s.Use("h", nil)
	if err != nil {
		t.Fatal(err)
	}
	woken := make(chan struct{}, 1)
	p, err := NewPort(d, func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	until := func(connected bool) {
		for p.Connected() != connected {
			<-woken
		}
	}
	for range 2 {
		if p.Connected() {
			t.Error("connected to nobody")
		}
		one := dialUnix(t, paths[0])
		until(true)
		two := dialUnix(t, paths[1])
		buf := make([]byte, 100)
		say := func(text string) {
			if _, err := two.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		say("x")
		for p.Read(buf) == 0 { // it has been accepted
			<-woken
		}
		one.Close()
		say("last words")
		two.Close()
		until(false)
		if n := p.Read(buf); string(buf[:n]) != "last words" {
			t.Errorf("%q", buf[:n])
		}
	}
}

// TestHubSlow: the slowest device sets the pace, and each gets everything once.
func TestHubSlow(t *testing.T) {
	s, paths := newHub(t, 2)
	fast, slow := dialUnix(t, paths[0]), dialUnix(t, paths[1])
	const size = 4 << 20 // beyond what sockets and ports hold
	data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	d, err := s.Use("h", nil)
	if err != nil {
		t.Fatal(err)
	}
	both := make(chan struct{}, 2)
	written := make(chan error, 1)
	err = d.Serve(true, func(_ *sched.Thread, c Conn) {
		hello := make([]byte, 1)
		for range 2 { // both are there
			if _, err := io.ReadFull(c, hello); err != nil {
				t.Error(err)
			}
			both <- struct{}{}
		}
		_, err := c.Write(data)
		written <- err
		_, _ = io.Copy(io.Discard, c)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{fast, slow} {
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		<-both
	}
	half := make([]byte, size/2)
	if _, err := io.ReadFull(slow, half); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-written:
		t.Fatalf("nobody reads, and it is written: %v", err)
	default:
	}
	rest := make([]byte, size/2)
	got := make(chan []byte)
	s.w.Go("fast reader", func(*sched.Thread) {
		all := make([]byte, size)
		_, _ = io.ReadFull(fast, all)
		got <- all
	})
	if _, err := io.ReadFull(slow, rest); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	if !bytes.Equal(append(half, rest...), data) || !bytes.Equal(<-got, data) {
		t.Error("the output was garbled")
	}
}

// TestHubEnds: closing interrupts a write that a device holds up.
func TestHubEnds(t *testing.T) {
	s, paths := newHub(t, 1, "null,id=n")
	client := dialUnix(t, paths[0])
	d, err := s.Use("h", nil)
	if err != nil {
		t.Fatal(err)
	}
	begun, stuck := make(chan struct{}), make(chan error, 1)
	if err := d.Serve(false, func(_ *sched.Thread, c Conn) {
		_, err := io.ReadFull(c, make([]byte, 1))
		close(begun)
		for err == nil {
			_, err = c.Write(make([]byte, 1<<20)) // which nobody reads
		}
		stuck <- err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	<-begun
	d.Detach()
	if err := <-stuck; err != io.ErrClosedPipe {
		t.Error(err)
	}
}

func TestHubErrors(t *testing.T) {
	s, _ := newHub(t, 2)
	mustAdd(t, s, "null,id=n", "null,id=x,mux=on", "null,id=o", "null,id=p", "null,id=q", "null,id=u")
	use, err := s.Use("u", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := use.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	const stacked = "hub: multiplexers and hub devices can't be stacked, check chardev '%', chardev should not be a hub device or have 'mux=on' enabled"
	for _, c := range []struct {
		err  error
		want string
	}{
		{s.add("hub,id=g"), "hub: 'chardevs' list is not defined"},
		{s.add("hub,id=g,chardevs.0=n,chardevs.1=nope"), "hub: chardev can't be found by id 'nope'"},
		{s.add("hub,id=g,chardevs.0=n,chardevs.1=g"), "hub: chardev can't be found by id 'g'"},
		{s.add("hub,id=g,chardevs.0=n,chardevs.1=h"), strings.Replace(stacked, "%", "h", 1)},
		{s.add("hub,id=g,chardevs.0=n,chardevs.1=x"), strings.Replace(stacked, "%", "x", 1)},
		{s.add("hub,id=g,chardevs.0=n,chardevs.1=x-base"), "chardev 'x-base' is already in use"},
		{s.add("hub,id=g,chardevs.0=n,chardevs.1=n"), "chardev 'n' is already in use"},
		{s.add("hub,id=g,chardevs.0=u"), "chardev 'u' is already in use"},
		{s.add("hub,id=g,chardevs.0=s0"), "chardev 's0' is already in use"},
		{second(s.Add(t.Context(), Config{Label: "g", Backend: "hub", Members: []string{"n", "o", "p", "q", "s1"}})),
			"hub: too many uses of chardevs 'g' (maximum is 4)"},
		{s.Remove("s0"), "Chardev 's0' is busy"},
		{second(s.Change(t.Context(), "s0", Config{Backend: "null"})), "Chardev user does not support chardev hotswap"},
		{s.add("mux,id=m,chardev=s0"), "chardev 's0' is already in use"},
		{s.add("hub,id=g,chardevs.0=n,chardevs.1=o,chardevs.2=p,chardevs.3=q"), ""}, // the refused ones hold nothing
		{s.add("mux,id=m,chardev=g"), ""},
		{s.Remove("g"), "Chardev 'g' is busy"},
		{s.Remove("m"), ""},
		{s.Remove("g"), ""},
		{s.Remove("n"), ""},
	} {
		if text(c.err) != c.want {
			t.Errorf("%q, want %q", text(c.err), c.want)
		}
	}
	if got := described(s); !strings.HasSuffix(got, "h=hub x=mux x-base=null o=null p=null q=null u=null*") {
		t.Error(got)
	}
}

// TestHubChange: a hub may take the place of another device, and give it up.
func TestHubChange(t *testing.T) {
	s, paths := newHub(t, 1)
	mustAdd(t, s, "null,id=c")
	if err := s.Remove("h"); err != nil {
		t.Fatal(err)
	}
	d, err := s.Use("c", nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPort(d, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := s.Change(t.Context(), "c", Config{Backend: "hub", Members: []string{"s0"}}); err != nil {
		t.Fatal(err)
	}
	if got := described(s); !strings.HasSuffix(got, "* c=hub*") {
		t.Error(got)
	}
	client := dialUnix(t, paths[0])
	if _, err := s.Change(t.Context(), "c", Config{Backend: "null"}); err != nil {
		t.Fatal(err)
	}
	if got := described(s); strings.Contains(got, "server=on*") || !strings.HasSuffix(got, " c=null*") {
		t.Error(got)
	}
	client.Close()
	if err := s.Remove("s0"); err != nil {
		t.Error(err)
	}
}

// TestHubMux: a hub may be what a mux shares; Ctrl-A of any device speaks to that.
func TestHubMux(t *testing.T) {
	s := newSet(t)
	var paths [2]string
	for i, id := range []string{"a", "b"} {
		paths[i] = filepath.Join(t.TempDir(), id)
		mustAdd(t, s, "socket,id="+id+",server=on,wait=off,path="+paths[i])
	}
	mustAdd(t, s, "hub,id=h,chardevs.0=a,chardevs.1=b,mux=on")
	if got := described(s); !strings.HasSuffix(got, " h=mux h-base=hub") {
		t.Error(got)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"first", "second"} {
		d, err := s.Use("h", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Serve(true, func(_ *sched.Thread, c Conn) {
			r := bufio.NewReader(c)
			for line, err := r.ReadString('\n'); err == nil; line, err = r.ReadString('\n') {
				_, _ = io.WriteString(c, name+" "+line)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // and when all have gone it begins anew
		one, two := dialUnix(t, paths[0]), dialUnix(t, paths[1])
		answers := bufio.NewReader(one) // it hears those to the other too
		for _, c := range []struct {
			from net.Conn
			text string
			want string
		}{{one, "x\n", "second x\n"}, {two, "\x01cy\n", "first y\n"}, {one, "\x01cz\n", "second z\n"}} {
			if _, err := io.WriteString(c.from, c.text); err != nil {
				t.Fatal(err)
			}
			if got, err := answers.ReadString('\n'); got != c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		}
		one.Close()
		two.Close()
	}
}
