package e2e

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/guest/demo"
)

// both are what conversations are held with, to compare them.
func both(t *testing.T) map[string]string {
	t.Helper()
	path, err := exec.LookPath(qemuProgram)
	if err != nil {
		t.Fatal(qemuProgram + " is not installed; .ci/run installs it")
	}
	return map[string]string{"backplane": binary, "QEMU": path}
}

// newSide is a machine of that program, with a QMP monitor at DIR/Q.
func newSide(t *testing.T, program string, args ...string) *process {
	t.Helper()
	p := newProcess(t, append([]string{"-M", "virt", "-nodefaults", "-display", "none", "-S", "-m", "64",
		"-qmp", "unix:DIR/Q,server=on,wait=off"}, args...)...)
	p.cmd.Path = program
	if program != binary {
		p.cmd.Args = append(p.cmd.Args, "-bios", "none")
	}
	p.start()
	p.until("the socket is there", func() bool { return p.exists("Q") })
	return p
}

// datagrams is the other end of a udp device.
type datagrams struct {
	*net.UDPConn
	t *testing.T
}

func newDatagrams(t *testing.T) datagrams {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return datagrams{c, t}
}

// until collects what comes until it ends in text, which it has so many times by then, and is to
// have no datagram of two lines.
func (d datagrams) until(times int, text string) string {
	d.t.Helper()
	var all strings.Builder
	buf := make([]byte, 1<<16)
	_ = d.SetReadDeadline(time.Now().Add(patience))
	for !strings.HasSuffix(all.String(), text) || strings.Count(all.String(), text) < times {
		n, err := d.Read(buf)
		if err != nil {
			d.t.Fatalf("waiting for %q: %v; %q came", text, err, all.String())
		}
		if line := strings.TrimSuffix(string(buf[:n]), "\n"); strings.Contains(line, "\n") {
			d.t.Errorf("a datagram of lines: %q", buf[:n])
		}
		all.Write(buf[:n])
	}
	return all.String()
}

// TestUDP sits at a human monitor by datagrams, at ours as at QEMU's. Commands are
// split and joined as lines are not.
func TestUDP(t *testing.T) {
	said := map[string]string{}
	for name, program := range both(t) {
		ours, theirs := newDatagrams(t), newDatagrams(t)
		to := theirs.LocalAddr().(*net.UDPAddr)
		theirs.Close()
		p := newSide(t, program, "-monitor", fmt.Sprintf("udp:127.0.0.1:%d@127.0.0.1:%d", ours.LocalAddr().(*net.UDPAddr).Port, to.Port))
		if got := filenames(t, p.path("Q"))["compat_monitor1"]; got != "udp" {
			t.Errorf("%s: filename %q", name, got)
		}
		if program == binary {
			ours.until(1, prompt) // QEMU does not greet
		}
		for _, step := range []struct {
			send  []string
			lines int
		}{{[]string{"info st", "atus\n"}, 1}, {[]string{"info name\nnonesuch\n"}, 2}, {[]string{"info version x\r"}, 1}} {
			for _, s := range step.send {
				if _, err := ours.WriteToUDP([]byte(s), to); err != nil {
					t.Fatal(err)
				}
			}
			said[name] += ours.until(step.lines, prompt)
		}
	}
	if said["backplane"] != said["QEMU"] || !strings.Contains(said["QEMU"], "VM status: paused (prelaunch)\r\n") {
		t.Errorf("%q\nQEMU says\n%q", said["backplane"], said["QEMU"])
	}
}

// newTTY is a pseudo terminal. To who opens the side that name is of it is a serial
// port, in the modes of a terminal that somebody sits at.
func newTTY(t *testing.T) (conn *lineConn, name string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	master := os.NewFile(uintptr(fd), "pty")
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	name = fmt.Sprintf("/dev/pts/%d", n)
	side, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0) // or it hangs up between others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { side.Close() })
	stty(t, name, "sane", "9600")
	return &lineConn{Conn: fileConn{master}, r: bufio.NewReader(master)}, name
}

// stty runs stty at a terminal.
func stty(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command("stty", append([]string{"-F", name}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("stty %q: %v: %s", args, err, out)
	}
	return string(out)
}

// TestSerialPort sits at a human monitor on a serial port, at ours as at QEMU's. Both
// put the port in the same modes.
func TestSerialPort(t *testing.T) {
	said, modes := map[string]string{}, map[string]string{}
	for name, program := range both(t) {
		conn, tty := newTTY(t)
		p := newSide(t, program, "-monitor", tty)
		h := &human{t, conn}
		if banner, err := conn.readTo(prompt); err != nil {
			t.Fatalf("%s: banner %q, %v", name, banner, err)
		}
		for _, keys := range []string{"info status\r", "nonesuch\r", "\x03info name\r"} {
			said[name] += h.types(keys)
		}
		modes[name] = stty(t, tty, "-g")
		if got := filenames(t, p.path("Q"))["compat_monitor1"]; got != "serial" {
			t.Errorf("%s: filename %q", name, got)
		}
	}
	if said["backplane"] != said["QEMU"] || !strings.HasPrefix(said["QEMU"], "VM status: paused (prelaunch)\n") {
		t.Errorf("%q\nQEMU says\n%q", said["backplane"], said["QEMU"])
	}
	if modes["backplane"] != modes["QEMU"] {
		t.Errorf("the modes are %s, QEMU's %s", modes["backplane"], modes["QEMU"])
	}
}

// TestHub sits at a human monitor from two sides of a hub; a ring keeps what both see.
func TestHub(t *testing.T) {
	peer := newDatagrams(t)
	free := newDatagrams(t)
	to := free.LocalAddr().(*net.UDPAddr)
	free.Close()
	p := newSide(t, binary,
		"-chardev", "socket,id=a,path=DIR/A,server=on,wait=off",
		"-chardev", fmt.Sprintf("udp,id=u,host=127.0.0.1,port=%d,localaddr=127.0.0.1,localport=%d", peer.LocalAddr().(*net.UDPAddr).Port, to.Port),
		"-chardev", "ringbuf,id=r", "-chardev", "hub,id=h,chardevs.0=a,chardevs.1=u,chardevs.2=r", "-mon", "chardev=h,mode=readline")
	control := dialQMP(t, p.path("Q"))
	for label, want := range map[string]string{"h": "hub", "u": "udp", "r": "ringbuf"} {
		if got := chardevs(t, control)[label]; got != want {
			t.Errorf("%s is %q, want %q", label, got, want)
		}
	}
	peer.until(1, prompt)
	h := &human{t, dialLines(t, p.path("A"))}
	if got := h.types("info status\r"); got != "VM status: paused (prelaunch)\n" {
		t.Errorf("%q", got)
	}
	if got := peer.until(1, prompt); !strings.HasSuffix(got, "VM status: paused (prelaunch)\r\n"+prompt) {
		t.Errorf("the peer sees %q", got)
	}
	if _, err := peer.WriteToUDP([]byte("nonesuch\n"), to); err != nil {
		t.Fatal(err)
	}
	if got, err := h.conn.readTo(prompt); !strings.HasSuffix(got, "unknown command: 'nonesuch'\r\n"+prompt) {
		t.Errorf("the client sees %q, %v", got, err)
	}
	p.until("the ring has it", func() bool {
		var text string
		if err := control.Execute(t.Context(), "ringbuf-read", map[string]any{"device": "r", "size": 10000}, &text); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(text, "VM status: paused (prelaunch)")
	})
	null := map[string]any{"type": "null", "data": map[string]any{}}
	hub := func(chardevs ...string) map[string]any {
		return map[string]any{"type": "hub", "data": map[string]any{"chardevs": append([]string{}, chardevs...)}}
	}
	for _, c := range []struct {
		command string
		args    map[string]any
		want    string
	}{
		{"chardev-remove", map[string]any{"id": "a"}, "Chardev 'a' is busy"},
		{"chardev-change", map[string]any{"id": "a", "backend": null}, "Chardev user does not support chardev hotswap"},
		{"chardev-add", map[string]any{"id": "g", "backend": hub()}, "Failed to add chardev 'g': hub: 'chardevs' list is not defined"},
		{"chardev-add", map[string]any{"id": "g", "backend": hub("a")}, "Failed to add chardev 'g': chardev 'a' is already in use"},
		{"chardev-add", map[string]any{"id": "g", "backend": hub("h")}, "Failed to add chardev 'g': hub: multiplexers and hub devices can't be " +
			"stacked, check chardev 'h', chardev should not be a hub device or have 'mux=on' enabled"},
		{"chardev-add", map[string]any{"id": "n", "backend": null}, ""},
		{"chardev-add", map[string]any{"id": "g", "backend": hub("n")}, ""},
		{"chardev-remove", map[string]any{"id": "n"}, "Chardev 'n' is busy"},
		{"chardev-remove", map[string]any{"id": "g"}, ""},
		{"chardev-remove", map[string]any{"id": "n"}, ""},
	} {
		got := ""
		if err := control.Execute(t.Context(), c.command, c.args, nil); err != nil {
			got = strings.TrimPrefix(err.Error(), c.command+": ")
		}
		if got != c.want {
			t.Errorf("%s %v: %q, want %q", c.command, c.args, got, c.want)
		}
	}
}

// TestGuestOverUDP reads a guest's console in datagrams.
func TestGuestOverUDP(t *testing.T) {
	peer := newDatagrams(t)
	p := newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-m", "128", "-kernel", "builtin:demo",
		"-serial", "udp:"+peer.LocalAddr().String())
	p.start()
	for parsed := false; !parsed; { // or until fails
		_, err := demo.ParseLine(strings.TrimRight(peer.until(1, "\n"), "\r\n"))
		parsed = err == nil
	}
}
