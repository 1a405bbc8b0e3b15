package e2e

import (
	"bufio"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestHumanTerminals sits at human monitors over everything that carries one,
// one of which was made while the machine ran.
func TestHumanTerminals(t *testing.T) {
	p := newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-S", "-m", "64",
		"-chardev", "socket,id=telnet0,host=127.0.0.1,port=0,telnet=on,server=on,wait=off", "-mon", "chardev=telnet0,mode=readline",
		"-chardev", "socket,id=tcp0,host=127.0.0.1,port=0,server=on,wait=off", "-mon", "chardev=tcp0,mode=readline",
		"-chardev", "pty,id=pty0,path=DIR/tty", "-mon", "chardev=pty0,mode=readline",
		"-monitor", "unix:DIR/H,server=on,wait=off", "-qmp", "unix:DIR/Q,server=on,wait=off")
	p.start()
	p.until("the sockets are there", func() bool { return p.exists("Q") && p.exists("H") })
	files := filenames(t, p.path("Q"))
	port := func(label string) string {
		_, rest, _ := strings.Cut(strings.TrimPrefix(files[label], "disconnected:"), ":")
		address, _, _ := strings.Cut(rest, ",")
		return address
	}
	tty := strings.TrimPrefix(files["pty0"], "pty:")
	if link, err := os.Readlink(p.path("tty")); err != nil || link != tty {
		t.Errorf("the link leads to %q, %v; the terminal is %q", link, err, tty)
	}
	p.until("it says where the terminal is", func() bool {
		return strings.Contains(p.said(), "char device redirected to "+tty+" (label pty0)")
	})
	for _, c := range []struct{ network, address, offer string }{
		{"tcp", port("telnet0"), "\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00"},
		{"tcp", port("tcp0"), ""},
		{"unix", p.path("H"), ""},
		{"pty", tty, ""},
	} {
		h := &human{t, terminalAt(t, c.network, c.address)}
		banner, err := h.conn.readTo(prompt)
		if want := c.offer + "QEMU 10.0.2 monitor - type 'help' for more information\r\n" + prompt; banner != want || err != nil {
			t.Errorf("%s %s: banner %q, %v", c.network, c.address, banner, err)
		}
		if c.network == "pty" {
			wraps(t, h, c.address)
		}
		for _, keys := range []string{"info status\r", "xinfo status\x01\x04\r", "inf\t status\r"} {
			if got := h.types(keys); got != "VM status: paused (prelaunch)\n" {
				t.Errorf("%s: %q: %q", c.address, keys, got)
			}
		}
	}
}

// wraps types a line of two rows on a terminal that is said to be 20 columns wide,
// goes to its beginning, and deletes it.
func wraps(t *testing.T, h *human, tty string) {
	t.Helper()
	if out, err := exec.Command("stty", "-F", tty, "cols", "20").CombinedOutput(); err != nil {
		t.Fatalf("stty: %v: %s", err, out)
	}
	for _, c := range []struct{ keys, shows string }{
		{strings.Repeat("y", 13), "y\r\n\x1b[J"},
		{"z", "\x1b[1A\r\x1b[7C" + strings.Repeat("y", 13) + "z\x1b[J"},
		{"\x01", "\x1b[1A\r\x1b[7C"},
		{"\x0b", "\x1b[J"},
	} {
		if err := h.conn.write(c.keys); err != nil {
			t.Fatal(err)
		}
		if got, err := h.conn.readTo(c.shows); err != nil {
			t.Fatalf("%q: %q, %v", c.keys, got, err)
		}
	}
}

// terminalAt connects to a terminal; on a pty the line ends are as the monitor
// writes them, for it is raw.
func terminalAt(t *testing.T, network, address string) *lineConn {
	t.Helper()
	var conn net.Conn
	var err error
	if network == "pty" {
		var f *os.File
		if f, err = os.OpenFile(address, os.O_RDWR, 0); err == nil {
			conn = fileConn{f}
		}
	} else {
		conn, err = net.Dial(network, address)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &lineConn{Conn: conn, r: bufio.NewReader(conn)}
}

// fileConn is a terminal as a connection.
type fileConn struct{ *os.File }

func (fileConn) LocalAddr() net.Addr  { return nil }
func (fileConn) RemoteAddr() net.Addr { return nil }

// SetReadDeadline has no effect where the file has no deadlines.
func (f fileConn) SetReadDeadline(at time.Time) error {
	_ = f.File.SetReadDeadline(at)
	return nil
}

// filenames asks query-chardev.
func filenames(t *testing.T, socket string) map[string]string {
	t.Helper()
	conn := dialLines(t, socket)
	var reply struct {
		Return []struct{ Label, Filename string }
	}
	for _, text := range []string{"", `{"execute": "qmp_capabilities"}`, `{"execute": "query-chardev"}`} {
		if text != "" {
			if err := conn.write(text + "\n"); err != nil {
				t.Fatal(err)
			}
		}
		line, err := conn.read()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "query-chardev") {
			if err := json.Unmarshal([]byte(line), &reply); err != nil {
				t.Fatal(err)
			}
		}
	}
	files := make(map[string]string)
	for _, c := range reply.Return {
		files[c.Label] = c.Filename
	}
	return files
}
