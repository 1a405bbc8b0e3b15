package chardev

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/sched"
)

// rig is a Port with a channel that gets a token for every wake.
func rig(t *testing.T, option string) (*Port, *Chardev, chan struct{}) {
	t.Helper()
	d := open(t, option)
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
	t.Cleanup(p.Close)
	return p, d, woken
}

func TestPortFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	p, _, woken := rig(t, "file,id=a,path="+path)
	<-woken // connected
	var want bytes.Buffer
	for range 1000 {
		line := strings.Repeat("x", 200) + "\n"
		want.WriteString(line)
		for rest := line; rest != ""; {
			n := p.Write([]byte(rest))
			if rest = rest[n:]; n == 0 {
				<-woken
			}
		}
	}
	p.Close()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want.Bytes()) {
		t.Errorf("the file has %d bytes of %d, %v", len(got), want.Len(), err)
	}
	if n := p.Write([]byte("late")); n != 4 {
		t.Errorf("a closed port took %d bytes", n)
	}
}

func TestPortSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	p, _, woken := rig(t, "socket,id=a,path="+path+",server=on,wait=off")
	if n := p.Write([]byte("nobody hears")); n != 12 || p.Connected() {
		t.Errorf("took %d, connected %v", n, p.Connected())
	}
	for range 2 { // a second client finds the port as good as the first
		c := dialUnix(t, path)
		for !p.Connected() {
			<-woken
		}
		if n := p.Write([]byte("hello")); n != 5 {
			t.Errorf("took %d", n)
		}
		buf := make([]byte, 5)
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "hello" {
			t.Errorf("%q, %v", buf, err)
		}
		if _, err := c.Write([]byte("input")); err != nil {
			t.Fatal(err)
		}
		for got := ""; got != "input"; {
			n := p.Read(buf)
			if got += string(buf[:n]); n == 0 {
				<-woken
			}
		}
		c.Close()
		for p.Connected() {
			<-woken
		}
	}
}

// A peer that does not read makes Write take less, never wait, and nothing that
// was taken is lost. A sender that sends more than is read waits.
func TestPortBackPressure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	p, _, woken := rig(t, "socket,id=a,path="+path+",server=on,wait=off")
	c := dialUnix(t, path)
	for !p.Connected() {
		<-woken
	}
	taken := 0
	chunk := make([]byte, 8192)
	for {
		for i := range chunk {
			chunk[i] = byte((taken + i) % 251)
		}
		n := p.Write(chunk)
		if taken += n; n < len(chunk) {
			break
		}
	}
	got := make([]byte, taken)
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	for i, b := range got {
		if b != byte(i%251) {
			t.Fatalf("byte %d of %d is wrong", i, taken)
		}
	}
	<-woken
	if n := p.Write([]byte("x")); n != 1 {
		t.Errorf("no room after the peer has read")
	}

	const total = 4 << 20
	done := make(chan error, 1)
	go func() {
		_, err := c.Write(make([]byte, total))
		done <- err
	}()
	for read := 0; read < total; {
		n := p.Read(chunk)
		if read += n; n == 0 {
			<-woken
		}
		p.mu.Lock()
		kept := len(p.in)
		p.mu.Unlock()
		if kept > portIn {
			t.Fatalf("%d bytes of input kept", kept)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Closing with a reader that never reads ends all the same.
func TestPortCloseStuck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	p, _, woken := rig(t, "socket,id=a,path="+path+",server=on,wait=off")
	dialUnix(t, path)
	for !p.Connected() {
		<-woken
	}
	for p.Write(make([]byte, 8192)) == 8192 {
	}
	p.Close()
	if p.Connected() {
		t.Error("still connected")
	}
}

func TestRing(t *testing.T) {
	p, d, woken := rig(t, "ringbuf,id=a,size=8")
	<-woken
	p.Write([]byte("0123456789"))
	p.Close()
	if got := d.Filename(); got != "ringbuf" {
		t.Errorf("filename %q", got)
	}
	r := d.Ring()
	if r.Len() != 8 {
		t.Fatalf("%d bytes kept", r.Len())
	}
	if got := string(r.Take(3)) + "|" + string(r.Take(100)) + "|" + string(r.Take(-1)); got != "234|56789|" {
		t.Errorf("ring %q", got)
	}
}

// terminal is a Terminal of two pipes, with its other ends.
func terminal(t *testing.T) (term Terminal, in, out *os.File) {
	t.Helper()
	r1, w1, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, f := range []*os.File{r1, w1, r2, w2} {
			f.Close()
		}
	})
	return Terminal{In: r1, Out: w2, Lease: new(Lease)}, w1, r2
}

func TestStdio(t *testing.T) {
	term, in, out := terminal(t)
	w := sched.NewWorld()
	d, err := Open(t.Context(), w, Config{Label: "a", Backend: "stdio", Address: noFD}, Host{Terminal: term})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), w, Config{Label: "b", Backend: "stdio", Address: noFD}, Host{Terminal: term}); text(err) != "cannot use stdio by multiple character devices" {
		t.Errorf("second stdio: %v", err)
	}
	if err := d.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	if _, err := in.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(out, buf); err != nil || string(buf) != "hello" {
		t.Errorf("%q, %v", buf, err)
	}
	d.Close() // while the handler reads
	again, err := Open(t.Context(), w, Config{Label: "c", Backend: "stdio", Address: noFD}, Host{Terminal: term})
	if err != nil {
		t.Fatalf("the terminal was not given back: %v", err)
	}
	again.Close() // without anybody reading
	if live := w.Live(); len(live) != 0 {
		t.Errorf("threads left: %v", live)
	}
}

func TestPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p")
	for _, suffix := range []string{".in", ".out"} {
		if err := unix.Mkfifo(path+suffix, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := open(t, "pipe,id=a,path="+path)
	if err := d.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	w, err := os.OpenFile(path+".in", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, err := os.OpenFile(path+".out", os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 5)
	if _, err := io.ReadFull(r, buf); err != nil || string(buf) != "hello" {
		t.Errorf("%q, %v", buf, err)
	}
}

// BenchmarkPortWrite is a UART's byte on its way to a socket.
func BenchmarkPortWrite(b *testing.B) {
	path := filepath.Join(b.TempDir(), "s")
	d, err := Open(context.Background(), sched.NewWorld(), Config{Label: "a", Backend: "socket", Server: true, Address: Address{FD: NoFD, Unix: path}}, Host{})
	if err != nil {
		b.Fatal(err)
	}
	woken := make(chan struct{}, 1)
	p, err := NewPort(d, func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	go func() { _, _ = io.Copy(io.Discard, c) }()
	for !p.Connected() {
		<-woken
	}
	b.ReportAllocs()
	one := []byte{'x'}
	for b.Loop() {
		for p.Write(one) == 0 {
			<-woken
		}
	}
}
