package chardev

import (
	"io"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
)

// echoed serves a frontend that repeats each key behind its name, and its turns
// as [in] and [out] if it cares.
func echoed(t *testing.T, m *Mux, name string, cares bool, breaks func()) *Chardev {
	t.Helper()
	d, err := m.Add(breaks)
	if err != nil {
		t.Fatal(err)
	}
	if d.Filename() != "mux" || d.Label() != "c" {
		t.Errorf("filename %q, label %q", d.Filename(), d.Label())
	}
	err = d.Serve(false, func(_ *sched.Thread, c Conn) {
		one, was := make([]byte, 1), false
		for {
			n, in, err := c.(Shared).ReadTurn(one)
			if err != nil {
				return
			}
			if cares && in != was {
				was = in
				_, _ = c.Write([]byte(name + map[bool]string{true: "[in] ", false: "[out] "}[in]))
			}
			if n > 0 {
				_, _ = c.Write([]byte(name + ":" + string(one) + " "))
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mux(t *testing.T, base *Chardev, onExit func()) *Mux {
	t.Helper()
	m, err := NewMux(base, "c", onExit)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMux(t *testing.T) {
	term, in, out := terminal(t)
	w := sched.NewWorld()
	base, err := Open(t.Context(), w, Config{Label: "c-base", Backend: "stdio", Mux: true, Address: noFD}, Host{Terminal: term})
	if err != nil {
		t.Fatal(err)
	}
	exit, breaks := make(chan struct{}), make(chan struct{}, 1)
	m := mux(t, base, func() { close(exit) })
	echoed(t, m, "mon", true, nil)
	echoed(t, m, "ser", false, func() { breaks <- struct{}{} })
	if _, err := in.WriteString("a"); err != nil { // before anybody listens
		t.Fatal(err)
	}
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(); text(err) != "chardev 'c-base' is already in use" {
		t.Errorf("started twice: %v", err)
	}
	expect := func(keys, want string) {
		t.Helper()
		if _, err := in.WriteString(keys); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(out, got); err != nil || string(got) != want {
			t.Errorf("after %q: %q, want %q (%v)", keys, got, want, err)
		}
	}
	expect("", "ser:a ") // the port came last and has the focus
	expect("\x01\x01", "ser:\x01 ")
	expect("\x01b\x01cx", "mon[in] mon:x ")
	<-breaks
	expect("\x01h", muxHelp)
	expect("zz\x01c", "mon:z mon:z mon[out] ")
	expect("y", "ser:y ")
	expect("\x01x", "QEMU: Terminated\n\r")
	<-exit
	m.Close()
	if live := w.Live(); len(live) != 0 {
		t.Errorf("threads left: %v", live)
	}
}

func TestMuxIsFull(t *testing.T) {
	base := open(t, "null,id=c-base")
	m := mux(t, base, func() {})
	if m.FrontendOpen() {
		t.Error("in use before anybody came")
	}
	for range maxFronts {
		if _, err := m.Add(nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Add(nil); text(err) != "too many uses of multiplexed chardev 'c' (maximum is 4)" {
		t.Errorf("the fifth: %v", err)
	}
	m.Close()
}

// A frontend that reads nothing costs no more than its bound, however often
// keys and the focus change.
func TestMuxBound(t *testing.T) {
	m := mux(t, open(t, "null,id=c-base"), func() {})
	front, err := m.Add(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Add(nil); err != nil {
		t.Fatal(err)
	}
	m.next()
	for range 3 * muxIn {
		m.key('x')
		m.next()
		m.next()
		m.next()
		m.next()
	}
	c := front.first.(*muxConn)
	if len(c.in) > 2*muxIn+1 || c.bytes != muxIn {
		t.Errorf("%d entries, %d bytes kept", len(c.in), c.bytes)
	}
	var all []byte
	buf := make([]byte, 100)
	for len(all) < muxIn {
		n, err := c.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, buf[:n]...)
	}
	m.Close()
	if _, err := c.Read(buf); err != io.EOF {
		t.Errorf("after Close: %v", err)
	}
}
