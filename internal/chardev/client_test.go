package chardev

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/internal/sched"
)

// pair is a connected socket and the descriptor of the other end, which the test
// gives away.
func pair(t *testing.T) (ours *net.UnixConn, fd int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	c, err := adoptSocket(fds[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.(*net.UnixConn), fds[1]
}

// plainFile is a descriptor of what is no socket.
func plainFile(t *testing.T) int {
	t.Helper()
	fd, err := unix.Open(filepath.Join(t.TempDir(), "f"), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

func TestAddClient(t *testing.T) {
	s := newSet(t)
	dir := t.TempDir()
	mustAdd(t, s, "socket,id=many,path="+dir+"/many,server=on,wait=off", "socket,id=one,path="+dir+"/one,server=on,wait=off",
		"null,id=null", "ringbuf,id=ring,mux=on")
	for label, many := range map[string]bool{"many": true, "one": false} {
		d, err := s.Use(label, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Serve(many, echo); err != nil {
			t.Fatal(err)
		}
		ours, fd := pair(t)
		if err := s.AddClient(label, fd); err != nil {
			t.Fatalf("%s: %v", label, err)
		}
		if got := say(t, ours, "hello"); got != "hello" {
			t.Errorf("%s: %q", label, got)
		}
		second, fd := pair(t)
		err = s.AddClient(label, fd)
		if many {
			if got := say(t, second, "again"); got != "again" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		} else if text(err) != "failed to add client" || isOpen(fd) {
			t.Errorf("a second client of %s: %v, open: %v", label, err, isOpen(fd))
		}
		if label == "many" { // and it still listens
			if got := say(t, dialUnix(t, dir+"/many"), "listening"); got != "listening" {
				t.Error(got)
			}
		}
	}
	for label, want := range map[string]string{
		"nobody": "protocol 'nobody' is invalid", "null": "failed to add client", "ring": "failed to add client", "many": "failed to add client",
	} {
		_, fd := pair(t)
		if label == "many" {
			_ = unix.Close(fd)
			fd = plainFile(t)
		}
		if err := s.AddClient(label, fd); text(err) != want || isOpen(fd) {
			t.Errorf("%s: %v, open: %v, want %q", label, err, isOpen(fd), want)
		}
	}
}

// A client that comes before the frontend is the first that it serves.
func TestAddClientEarly(t *testing.T) {
	s := newSet(t)
	mustAdd(t, s, "socket,id=a,path="+t.TempDir()+"/s,server=on,wait=off")
	ours, fd := pair(t)
	if err := s.AddClient("a", fd); err != nil {
		t.Fatal(err)
	}
	if got := described(s); got != "a=unix:"+s.members[0].dev.config.Unix+",server=on" {
		t.Error(got)
	}
	_, late := pair(t)
	if err := s.AddClient("a", late); text(err) != "failed to add client" {
		t.Error(err)
	}
	d, err := s.Use("a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	if got := say(t, ours, "hello"); got != "hello" {
		t.Error(got)
	}
}

// Sockets that somebody else has opened, by their names.
func TestNamedSockets(t *testing.T) {
	s := newSet(t)
	add := func(label, name string, server bool, fd int) error {
		c := Config{Label: label, Backend: "socket", Server: server, Address: Address{ByFD: true, FDName: name, FD: NoFD}}
		if err := c.Resolve(func(string) (int, error) { return fd, nil }); err != nil {
			t.Fatal(err)
		}
		_, err := s.Add(t.Context(), c)
		return err
	}
	ours, fd := pair(t)
	if err := add("client", "s", false, fd); err != nil {
		t.Fatal(err)
	}
	d, err := s.Use("client", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	if got := say(t, ours, "hello"); got != "hello" {
		t.Error(got)
	}
	path := filepath.Join(t.TempDir(), "l")
	bound, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(bound, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := add("server", "l", true, bound); err != nil {
		t.Fatal(err)
	}
	if got := described(s); got != "client=unix:* server=disconnected:unix:"+path+",server=on" {
		t.Error(got)
	}
	for _, c := range []struct {
		label, want string
		server      bool
		fd          int
	}{
		{"x", "File descriptor 'n' is not a socket", false, plainFile(t)},
		{"x", "File descriptor 'n' is not a socket", true, plainFile(t)},
		{"x", "Failed to listen on fd socket: Invalid argument", true, func() int { _, fd := pair(t); return fd }()},
		{"client", "Chardev with id 'client' already exists", false, func() int { _, fd := pair(t); return fd }()},
	} {
		if err := add(c.label, "n", c.server, c.fd); text(err) != c.want || isOpen(c.fd) {
			t.Errorf("%v, open: %v, want %q", err, isOpen(c.fd), c.want)
		}
	}
}

// What comes over a socket besides bytes is there to be taken, and closed with
// the connection; over others nothing comes.
func TestReceiver(t *testing.T) {
	for name, option := range map[string]string{"plain": "", "logged": ",logfile=" + filepath.Join(t.TempDir(), "log"), "telnet": ",telnet=on"} {
		path := filepath.Join(t.TempDir(), "s")
		d := open(t, "socket,id=a,path="+path+",server=on,wait=off"+option)
		got, over := make(chan int), make(chan bool)
		err := d.Serve(true, func(_ *sched.Thread, c Conn) {
			defer close(over)
			buf := make([]byte, 1)
			for {
				if _, err := io.ReadFull(c, buf); err != nil {
					return
				}
				if buf[0] == 't' {
					fd, ok := c.(Receiver).TakeFD()
					if !ok {
						fd = -1
					}
					got <- fd
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		c := dialUnix(t, path).(*net.UnixConn)
		send := func(text string, files int) {
			t.Helper()
			var fds []int
			for range files {
				fds = append(fds, plainFile(t))
			}
			if _, _, err := c.WriteMsgUnix([]byte(text), unix.UnixRights(fds...), nil); err != nil {
				t.Fatal(err)
			}
			for _, fd := range fds {
				_ = unix.Close(fd)
			}
		}
		send("\x00\xff\xf1t", 2)
		fd := <-got
		if fd < 0 || !isOpen(fd) {
			t.Errorf("%s: %d came", name, fd)
		}
		_ = unix.Close(fd)
		if _, err := c.Write([]byte("t")); err != nil {
			t.Fatal(err)
		}
		if fd := <-got; fd >= 0 {
			t.Errorf("%s: %d came again", name, fd)
		}
		send("x", 3)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		<-over
		d.Close()
	}
	var sink Conn = newSink("null", io.Discard)
	if _, ok := sink.(Receiver); ok {
		t.Error("a null device receives")
	}
	if fd, ok := (&logged{Conn: sink}).TakeFD(); ok {
		t.Errorf("a logged null device receives %d", fd)
	}
}

// Files and pipes are opened from sets.
func TestFilesOfSets(t *testing.T) {
	files := new(descriptor.Sets)
	defer files.Close()
	w := sched.NewWorld()
	s := NewSet(w, SetConfig{Host: Host{Files: files}, Exit: func() {}, Inform: func(string) {}})
	defer s.Close()
	path := filepath.Join(t.TempDir(), "f")
	id := int64(0)
	for _, flag := range []int{unix.O_WRONLY, unix.O_RDWR} {
		fd, err := unix.Open(path, flag|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := files.Add(fd, &id, nil); err != nil {
			t.Fatal(err)
		}
	}
	mustAdd(t, s, "file,id=a,path=/dev/fdset/0,append=on", "pipe,id=b,path=/dev/fdset/0", "null,id=c,logfile=/dev/fdset/0,logappend=on")
	d, err := s.Use("a", nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPort(d, func() {})
	if err != nil {
		t.Fatal(err)
	}
	p.Write([]byte("text"))
	for option, want := range map[string]string{
		"file,id=x,path=/dev/fdset/7":                          "Could not open '/dev/fdset/7': No such file or directory",
		"file,id=x,path=/dev/fdset/q":                          "Could not open '/dev/fdset/q': Invalid argument",
		"file,id=x,path=" + path + "2,input-path=/dev/fdset/0": "Could not open '/dev/fdset/0': Permission denied",
		"null,id=x,logfile=/dev/fdset/7":                       "Failed to find fdset /dev/fdset/7",
	} {
		if err := s.add(option); text(err) != want {
			t.Errorf("%s: %v, want %q", option, err, want)
		}
	}
	if err := errors.Join(s.Remove("b"), s.Remove("c"), files.Remove(0, nil)); err != nil {
		t.Error(err)
	}
	if list := files.List(); len(list) != 1 { // a is there still
		t.Errorf("%v", list)
	}
	p.Close()
	if list := files.List(); len(list) != 0 {
		t.Errorf("%v", list)
	}
	if b, err := os.ReadFile(path); string(b) != "text" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}
