package chardev

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
)

func TestTelnetDecoder(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		breaks         int
	}{
		{"text", "info status\n", "info status\n", 0},
		{"bare CR", "a\r\x00b", "a\rb", 0},
		{"CR LF", "a\r\nb", "a\r\nb", 0},
		{"NUL", "a\x00b", "a\x00b", 0},
		{"escaped IAC", "a\xff\xffb", "a\xffb", 0},
		{"options", "\xff\xfd\x01\xff\xfd\x03\xff\xfb\x1fx", "x", 0},
		{"binary", "\xff\xfb\x00a\r\x00b", "a\r\x00b", 0},
		{"binary taken back", "\xff\xfb\x00\xff\xfc\x00a\r\x00b", "a\rb", 0},
		{"break", "a\xff\xf3b\xff\xf3", "ab", 2},
		{"interrupt", "a\xff\xf4b", "ab", 0},
		{"no operation, are you there", "a\xff\xf1b\xff\xf6c", "abc", 0},
		{"window size", "a\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0b", "ab", 0},
		{"IAC in a subnegotiation", "\xff\xfa\x1f\xff\xff\x01\xff\xf0b", "b", 0},
		{"CR before a command", "a\r\xff\xf1\x00b", "a\r\x00b", 0},
	} {
		for _, size := range []int{1, 2, 3, 100} { // however it is cut
			var d telnetDecoder
			var got []byte
			breaks := 0
			for in := []byte(c.in); len(in) > 0; in = in[min(size, len(in)):] {
				piece := bytes.Clone(in[:min(size, len(in))])
				n, b := d.decode(piece)
				got, breaks = append(got, piece[:n]...), breaks+b
			}
			if string(got) != c.want || breaks != c.breaks {
				t.Errorf("%s in pieces of %d: %q and %d breaks, want %q and %d", c.name, size, got, breaks, c.want, c.breaks)
			}
		}
	}
}

// FuzzTelnet: no bytes make the decoder fail, it never gives more than it took,
// and how they are cut makes no difference.
func FuzzTelnet(f *testing.F) {
	f.Add([]byte("a\xff\xfb\x00\r\x00\xff\xff"), 1)
	f.Add([]byte("\xff\xfa\x1f\xff\xf0"), 3)
	f.Fuzz(func(t *testing.T, in []byte, at int) {
		var whole, cut telnetDecoder
		one := bytes.Clone(in)
		n, breaks := whole.decode(one)
		at = min(max(at, 0), len(in))
		head, tail := bytes.Clone(in[:at]), bytes.Clone(in[at:])
		a, b1 := cut.decode(head)
		b, b2 := cut.decode(tail)
		if n != a+b || breaks != b1+b2 || !bytes.Equal(one[:n], append(head[:a:a], tail[:b]...)) {
			t.Errorf("%q cut at %d", in, at)
		}
	})
}

// TestTelnetServer: the offers, the doubled IAC, the break.
func TestTelnetServer(t *testing.T) {
	d := open(t, "socket,id=a,host=127.0.0.1,port=0,server=on,wait=off,telnet=on")
	broke := make(chan struct{}, 1)
	d.OnBreak(func() { broke <- struct{}{} })
	if err := d.Serve(true, echo); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", d.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("\xff\xfd\x01hi\xff\xff\xff\xf3!")); err != nil {
		t.Fatal(err)
	}
	want := string(telnetOffer[:]) + "hi\xff\xff!"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	<-broke
	if name := d.Filename(); name != "telnet:"+d.Addr().String()+",server=on <-> "+c.LocalAddr().String() {
		t.Error(name)
	}
}

// TestTelnetInterrupt: an interrupt and a break are a key for who wants that, in their
// place, and who asks for a timing mark gets one.
func TestTelnetInterrupt(t *testing.T) {
	for _, log := range []string{"", ",logfile=" + filepath.Join(t.TempDir(), "log")} {
		d := open(t, "socket,id=a,host=127.0.0.1,port=0,server=on,wait=off,telnet=on"+log)
		d.OnBreak(func() { t.Error("a break") })
		err := d.Serve(true, func(t *sched.Thread, conn Conn) {
			conn.(Interrupter).InterruptAs('!')
			echo(t, conn)
		})
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", d.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, turn := range []struct{ typed, want string }{
			{"a\xff\xf4\xff\xfd\x06", string(telnetOffer[:]) + "\xff\xfb\x06a!"},
			{"b\xff\xf3c\xff\xfe\x06\xff\xfb\x06", "b!c"},
		} {
			if _, err := c.Write([]byte(turn.typed)); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(turn.want))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != turn.want {
				t.Errorf("%q, %v; want %q", got, err, turn.want)
			}
		}
	}
}

// TestTelnetClient: a client offers nothing and understands the server.
func TestTelnetClient(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	d := open(t, "socket,id=a,host=127.0.0.1,port="+port+",telnet=on")
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	read := make(chan string, 1)
	err = d.Serve(false, func(_ *sched.Thread, conn Conn) {
		buf := make([]byte, 5)
		_, _ = io.ReadFull(conn, buf)
		read <- string(buf)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(append(telnetOffer[:], "hello"...)); err != nil {
		t.Fatal(err)
	}
	if got := <-read; got != "hello" {
		t.Errorf("%q", got)
	}
	if rest, err := io.ReadAll(c); len(rest) > 0 || err != nil {
		t.Errorf("the client said %q, %v", rest, err)
	}
}
