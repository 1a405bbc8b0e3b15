package chardev

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// text is the error as QEMU prints it: description and hint.
func text(err error) string {
	if err == nil {
		return ""
	}
	e := qerr.From(err)
	if e.Hint != "" {
		return e.Desc + "\n" + e.Hint
	}
	return e.Desc
}

func open(t *testing.T, option string) *Chardev {
	t.Helper()
	c, err := ParseOption(option)
	if err != nil {
		t.Fatalf("%s: %v", option, err)
	}
	d, err := Open(t.Context(), sched.NewWorld(), c, Host{})
	if err != nil {
		t.Fatalf("%s: %v", option, err)
	}
	t.Cleanup(d.Close)
	return d
}

// echo answers each line with the line.
func echo(_ *sched.Thread, c Conn) { _, _ = io.Copy(c, c) }

func dialUnix(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// say sends a line and returns the one that comes back.
func say(t *testing.T, c net.Conn, line string) string {
	t.Helper()
	fmt.Fprintln(c, line)
	got, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(got, "\n")
}

func TestServeMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	d := open(t, "socket,id=a,path="+path+",server=on,wait=off")
	if got, want := d.Filename(), "disconnected:unix:"+path+",server=on"; got != want {
		t.Errorf("filename %q, want %q", got, want)
	}
	if d.FrontendOpen() {
		t.Error("in use before Serve")
	}
	if err := d.Serve(true, echo); err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(true, echo); text(err) != "chardev 'a' is already in use" {
		t.Errorf("second Serve: %v", err)
	}
	one, two := dialUnix(t, path), dialUnix(t, path)
	for _, c := range []net.Conn{two, one, two} {
		if got := say(t, c, "hello"); got != "hello" {
			t.Errorf("got %q", got)
		}
	}
	if got, want := d.Filename(), "unix:"+path+",server=on"; got != want {
		t.Errorf("filename %q, want %q", got, want)
	}
	d.Close()
	if _, err := one.Read(make([]byte, 1)); err == nil {
		t.Error("a connection outlived its device")
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's file is still there: %v", err)
	}
	d.Close()
}

func TestServeInTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	// A socket left by a process that died is no obstacle.
	stale, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	d := open(t, "socket,id=a,path="+path+",server=on,wait=off")
	busy := make(chan int, 4)
	n := 0
	if err := d.Serve(false, func(_ *sched.Thread, c Conn) {
		n++ // one at a time: no lock
		busy <- n
		echo(nil, c)
	}); err != nil {
		t.Fatal(err)
	}
	one, two := dialUnix(t, path), dialUnix(t, path)
	if got := say(t, one, "a"); got != "a" {
		t.Errorf("got %q", got)
	}
	fmt.Fprintln(two, "waits")
	if <-busy; len(busy) != 0 {
		t.Error("two clients at once")
	}
	one.Close()
	if got, _ := bufio.NewReader(two).ReadString('\n'); got != "waits\n" {
		t.Errorf("the second client got %q", got)
	}
}

func TestWaitClient(t *testing.T) {
	d := open(t, "socket,id=a,host=127.0.0.1,port=0,server=on")
	addr := d.Addr().String()
	announced := make(chan string, 1)
	result := make(chan error, 1)
	go func() { result <- d.WaitClient(func(name string) { announced <- name }) }()
	if got, want := <-announced, "disconnected:tcp:"+addr+",server=on"; got != want {
		t.Errorf("announced %q, want %q", got, want)
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if got, want := d.Filename(), "tcp:"+addr+",server=on <-> "+c.LocalAddr().String(); got != want {
		t.Errorf("filename %q, want %q", got, want)
	}
	if err := d.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	if got := say(t, c, "x"); got != "x" {
		t.Errorf("got %q", got)
	}

	d2 := open(t, "socket,id=b,host=127.0.0.1,port=0,server=on")
	go func() { result <- d2.WaitClient(func(name string) { announced <- name }) }()
	<-announced
	d2.Close()
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("closed while waiting: %v", err)
	}
}

func TestClientReconnects(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	d := open(t, "socket,id=a,path="+path+",reconnect-ms=1")
	if got, want := d.Filename(), "disconnected:unix:"+path; got != want {
		t.Errorf("filename %q, want %q", got, want)
	}
	if err := d.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range 2 {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := say(t, c, "x"); got != "x" {
			t.Errorf("got %q", got)
		}
		c.Close()
	}
}

func TestInheritedSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := l.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(f.Fd())) // the device owns its descriptor
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, fmt.Sprintf("socket,id=a,fd=%d,server=on,wait=off", fd))
	if err := d.Serve(true, echo); err != nil {
		t.Fatal(err)
	}
	if got := say(t, dialUnix(t, path), "x"); got != "x" {
		t.Errorf("got %q", got)
	}
	d.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("an inherited socket was removed: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"socket,id=a,path=/nonexistent/x,server=on":                       "Failed to bind socket to /nonexistent/x: No such file or directory",
		"socket,id=a,path=/nonexistent/x":                                 "Failed to connect to '/nonexistent/x': No such file or directory",
		"socket,id=a,path=" + plain + ",server=on":                        "Failed to bind socket to " + plain + ": Address already in use",
		"socket,id=a,host=127.0.0.1,port=1":                               "Failed to connect to '127.0.0.1:1': Connection refused",
		"socket,id=a,host=127.0.0.1,port=" + port + ",server=on,wait=off": "Failed to find an available port: Address already in use",
		"socket,id=a,host=127.0.0.1,port=abc,server=on":                   "address resolution failed for 127.0.0.1:abc: Servname not supported for ai_socktype",
		"socket,id=a,host=127.0.0.1,port=abc":                             "address resolution failed for 127.0.0.1:abc: Servname not supported for ai_socktype",
		"socket,id=a,fd=999":                                              "File descriptor '999' is not a socket",
		"file,id=a,path=/nonexistent/x":                                   "Could not open '/nonexistent/x': No such file or directory",
		"file,id=a,path=" + dir:                                           "Could not open '" + dir + "': Is a directory",
		"pipe,id=a,path=/nonexistent/x":                                   "Could not open '/nonexistent/x': No such file or directory",
		"stdio,id=a":                                                      "stdio is not available to this machine",
	} {
		c, err := ParseOption(in)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		d, err := Open(t.Context(), sched.NewWorld(), c, Host{})
		if err == nil {
			d.Close()
		}
		if text(err) != want {
			t.Errorf("%s: %q, want %q", in, text(err), want)
		}
	}
	if b, _ := os.ReadFile(plain); string(b) != "keep" {
		t.Error("a plain file was removed in favour of a socket")
	}
}

// Clients that come, say half a word and go leave nothing behind.
func TestNoGrowth(t *testing.T) {
	descriptors := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	path := filepath.Join(t.TempDir(), "s")
	w := sched.NewWorld()
	early, err := net.Listen("unix", path) // the runtime opens some for itself with the first
	if err != nil {
		t.Fatal(err)
	}
	early.Close()
	before := descriptors()
	d, err := Open(t.Context(), w, Config{Label: "a", Backend: "socket", Server: true, Address: Address{FD: NoFD, Unix: path}}, Host{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(true, echo); err != nil {
		t.Fatal(err)
	}
	for i := range 300 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			fmt.Fprint(c, "{")
		}
		c.Close()
	}
	last := dialUnix(t, path)
	if got := say(t, last, "still here"); got != "still here" {
		t.Errorf("got %q", got)
	}
	last.Close()
	d.Close()
	if after := descriptors(); after > before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
	if live := w.Live(); len(live) != 0 {
		t.Errorf("threads left: %v", live)
	}
}
