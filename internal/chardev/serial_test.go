package chardev

import (
	"bufio"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSerial: a host's serial port is raw, at 8N1, and stays open from one frontend to
// the next; the other side's going ends the connection.
func TestSerial(t *testing.T) {
	host, err := openPty("")
	if err != nil {
		t.Fatal(err)
	}
	defer host.close()
	tty, err := os.OpenFile(host.name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cooked, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	cooked.Lflag |= unix.ECHO | unix.ICANON | unix.ISIG
	cooked.Iflag |= unix.ICRNL | unix.IXON
	cooked.Cflag |= unix.PARENB | unix.CSTOPB
	if err := unix.IoctlSetTermios(int(tty.Fd()), unix.TCSETS, cooked); err != nil {
		t.Fatal(err)
	}
	p, d, woken := rig(t, "serial,id=a,path="+host.name)
	raw, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	tty.Close()
	if raw.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 || raw.Iflag&(unix.ICRNL|unix.IXON) != 0 || raw.Oflag&unix.OPOST != 0 {
		t.Errorf("not raw: %+v", raw)
	}
	const control = unix.CSIZE | unix.PARENB | unix.CSTOPB | unix.CREAD | unix.CRTSCTS | unix.CBAUD
	if got := raw.Cflag & control; got != unix.CS8|unix.CREAD|unix.B115200 {
		t.Errorf("control modes %#x", got)
	}
	if got := d.Filename(); got != "serial" {
		t.Errorf("filename %q", got)
	}
	from := bufio.NewReader(host.master)
	p.Write([]byte("to the host\n"))
	if line, err := from.ReadString('\n'); line != "to the host\n" {
		t.Errorf("%q, %v", line, err)
	}
	p.detach()
	if _, err := host.master.WriteString("\x03\rmeanwhile"); err != nil {
		t.Fatal(err)
	}
	if p, err = NewPort(d, func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}); err != nil {
		t.Fatal(err)
	}
	var got []byte
	for buf := make([]byte, 64); len(got) < 11; {
		n := p.Read(buf)
		if got = append(got, buf[:n]...); n == 0 {
			<-woken
		}
	}
	if string(got) != "\x03\rmeanwhile" || !p.Connected() {
		t.Errorf("%q, connected %v", got, p.Connected())
	}
	host.close()
	for p.Connected() {
		<-woken
	}
}

// TestSerialOther: what is no terminal serves, as in QEMU, and what cannot be opened
// does not.
func TestSerialOther(t *testing.T) {
	s := newSet(t)
	mustAdd(t, s, "serial,id=a,path=/dev/null")
	d, err := s.Use("a", nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPort(d, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if n := p.Write([]byte("gone")); n != 4 {
		t.Errorf("took %d", n)
	}
	p.Close()
	for option, want := range map[string]string{
		"serial,id=b,path=/nonexistent": "Could not open '/nonexistent': No such file or directory",
		"serial,id=b,path=/tmp":         "Could not open '/tmp': Is a directory",
	} {
		if got := text(s.add(option)); got != want {
			t.Errorf("%s: %q, want %q", option, got, want)
		}
	}
}
