package chardev

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
)

// newSet is a Set that ends with the test and leaves no thread.
func newSet(t *testing.T) *Set {
	t.Helper()
	w := sched.NewWorld()
	s := NewSet(w, SetConfig{Exit: func() {}, Inform: func(text string) { t.Log(text) }})
	t.Cleanup(func() {
		s.Close()
		if live := w.Live(); len(live) > 0 {
			t.Errorf("threads left: %v", live)
		}
	})
	return s
}

func (s *Set) add(option string) error {
	c, err := ParseOption(option)
	if err == nil {
		_, err = s.Add(context.Background(), c)
	}
	return err
}

func mustAdd(t *testing.T, s *Set, options ...string) {
	t.Helper()
	for _, o := range options {
		if err := s.add(o); err != nil {
			t.Fatalf("%s: %v", o, err)
		}
	}
}

// described is Info as "label=filename", with '*' behind what is open.
func described(s *Set) string {
	var list []string
	for _, i := range s.Info() {
		list = append(list, i.Label+"="+i.Filename+map[bool]string{true: "*"}[i.Open])
	}
	return strings.Join(list, " ")
}

func TestSet(t *testing.T) {
	s := newSet(t)
	dir := t.TempDir()
	mustAdd(t, s, "null,id=n", "ringbuf,id=r", "null,id=x,mux=on", "socket,id=s,path="+dir+"/s,server=on,wait=off")
	mustAdd(t, s, "mux,id=m,chardev=n")
	if got, want := described(s), "n=null r=ringbuf x=mux x-base=null s=disconnected:unix:"+dir+"/s,server=on m=mux"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	front, err := s.Use("m", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := front.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	if got := described(s); !strings.Contains(got, "n=null*") || !strings.Contains(got, "m=mux*") || strings.Contains(got, "x=mux*") {
		t.Error(got)
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{s.add("null,id=r"), "Chardev with id 'r' already exists"},
		{s.add("null,id=x-base"), "Chardev with id 'x-base' already exists"},
		{s.add("mux,id=q,chardev=nope"), "mux: base chardev nope not found"},
		{s.add("mux,id=q,chardev=n"), "chardev 'n' is already in use"},
		{s.add("file,id=q,path=/nonexistent/f"), "Could not open '/nonexistent/f': No such file or directory"},
		{s.add("null,id=q,logfile=/nonexistent/f"), "Could not create '/nonexistent/f': No such file or directory"},
		{s.add("stdio,id=q"), "stdio is not available to this machine"},
		{s.Remove("nope"), "Chardev 'nope' not found"},
		{s.Remove("n"), "Chardev 'n' is busy"},
		{s.Remove("m"), "Chardev 'm' is busy"},
		{s.SendBreak("nope"), "Chardev 'nope' not found"},
		{s.SendBreak("r"), ""},
		{second(s.Ring("nope")), "Device 'nope' not found"},
		{second(s.Ring("n")), "n is not a ringbuf device"},
		{second(s.Use("nope", nil)), `chardev "nope" not found`},
		{second(s.Change(t.Context(), "nope", Config{})), "Chardev 'nope' does not exist"},
		{second(s.Change(t.Context(), "m", Config{})), "Mux device hotswap not supported yet"},
		{second(s.Change(t.Context(), "n", Config{})), "Chardev user does not support chardev hotswap"},
		{second(s.Change(t.Context(), "r", Config{Backend: "file", Path: "/nonexistent/f"})), "Failed to add chardev 'r': Could not open '/nonexistent/f': No such file or directory"},
	} {
		if text(c.err) != c.want {
			t.Errorf("%q, want %q", text(c.err), c.want)
		}
	}
	front.Detach()
	for _, id := range []string{"m", "n", "r", "x", "x-base", "s"} {
		if err := s.Remove(id); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if got := described(s); got != "" {
		t.Errorf("left: %s", got)
	}
	if _, err := os.Stat(dir + "/s"); !errors.Is(err, os.ErrNotExist) {
		t.Error("the socket's file stays")
	}
}

func second[T any](_ T, err error) error { return err }

// TestAddWaits: a server made with wait=on is waited for, and Remove ends that.
func TestAddWaits(t *testing.T) {
	s := newSet(t)
	asked := make(chan struct{}, 1)
	s.config.Inform = func(string) { asked <- struct{}{} }
	path := filepath.Join(t.TempDir(), "s")
	for _, end := range []func() error{
		func() error { return s.Remove("a") },
		func() error { _, err := net.Dial("unix", path); return err },
	} {
		done := make(chan error, 1)
		s.w.Go("add", func(*sched.Thread) { done <- s.add("socket,id=a,path=" + path + ",server=on") })
		<-asked
		if !s.Has("a") {
			t.Error("the id is free")
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil && !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	}
	if got := described(s); got != "a=unix:"+path+",server=on" {
		t.Error(got)
	}
}

// TestAddIsGivenUp: nothing is left of a device whose making is not wanted any
// more.
func TestAddIsGivenUp(t *testing.T) {
	s := newSet(t)
	asked := make(chan struct{}, 1)
	s.config.Inform = func(string) { asked <- struct{}{} }
	path := filepath.Join(t.TempDir(), "s")
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		c, err := ParseOption("socket,id=a,server=on,path=" + path)
		if err != nil {
			t.Fatal(err)
		}
		s.w.Go("add", func(*sched.Thread) {
			_, err := s.Add(ctx, c)
			done <- err
		})
		<-asked
		cancel()
		if err := <-done; err == nil {
			t.Error("it was made")
		}
		if got := described(s); got != "" {
			t.Errorf("left: %s", got)
		}
	}
	mustAdd(t, s, "null,id=a")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s.w.Go("change", func(*sched.Thread) {
		_, err := s.Change(ctx, "a", Config{Backend: "socket", Server: true, Wait: true, Address: Address{FD: NoFD, Unix: path}})
		done <- err
	})
	<-asked
	cancel()
	if err := <-done; err == nil || described(s) != "a=null" {
		t.Errorf("%v, %s", err, described(s))
	}
}

// TestDetach: a device serves another frontend after the first has gone.
func TestDetach(t *testing.T) {
	dir := t.TempDir()
	for _, option := range []string{"socket,id=a,path=" + dir + "/s,server=on,wait=off", "null,id=a", "file,id=a,path=" + dir + "/f", "pty,id=a"} {
		d := open(t, option)
		for range 3 {
			if err := d.Serve(true, echo); err != nil {
				t.Fatalf("%s: %v", option, err)
			}
			if d.config.Backend == "socket" {
				c := dialUnix(t, dir+"/s")
				if got := say(t, c, "hello"); got != "hello" {
					t.Errorf("%q", got)
				}
			}
			d.Detach()
			if d.FrontendOpen() {
				t.Errorf("%s: still open", option)
			}
		}
	}
}

// TestReconnectComplains: once, and again after there has been a connection; a
// device that tries again can be given up at any moment.
func TestReconnectComplains(t *testing.T) {
	s := newSet(t)
	said := make(chan string, 8)
	s.config.Inform = func(text string) { said <- text }
	path := filepath.Join(t.TempDir(), "s")
	mustAdd(t, s, "socket,id=a,path="+path+",reconnect-ms=1")
	d, err := s.Use("a", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "Unable to connect character device a: Failed to connect to '" + path + "': "
	if err := d.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	if got := <-said; got != want+"No such file or directory" {
		t.Errorf("%q", got)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if got := say(t, c, "hello"); got != "hello" {
		t.Errorf("%q", got)
	}
	l.Close()
	c.Close()
	if got := <-said; !strings.HasPrefix(got, want) {
		t.Errorf("%q", got)
	}
	d.Detach()
	if got := described(s); got != "a=disconnected:unix:"+path {
		t.Error(got)
	}
}

// TestChange: a port goes on with another device, and loses nothing.
func TestChange(t *testing.T) {
	s := newSet(t)
	dir := t.TempDir()
	mustAdd(t, s, "file,id=a,path="+dir+"/one")
	d, err := s.Use("a", nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPort(d, func() {})
	if err != nil {
		t.Fatal(err)
	}
	p.Write([]byte("first"))
	if _, err := s.Change(t.Context(), "a", Config{Backend: "file", Path: "/nonexistent/f"}); text(err) != "Could not open '/nonexistent/f': No such file or directory" {
		t.Error(err)
	}
	if _, err := s.Change(t.Context(), "a", Config{Backend: "file", Path: dir + "/two", LogFile: dir + "/log"}); err != nil {
		t.Fatal(err)
	}
	p.Write([]byte("second"))
	p.Close()
	for name, want := range map[string]string{"one": "first", "two": "second", "log": "second"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if got := described(s); got != "a=file*" {
		t.Error(got)
	}
}

// TestChangeKeepsThePath: a server that takes its own path over does not lose it.
func TestChangeKeepsThePath(t *testing.T) {
	s := newSet(t)
	path := filepath.Join(t.TempDir(), "s")
	mustAdd(t, s, "socket,id=a,path="+path+",server=on,wait=off")
	c := Config{Backend: "socket", Server: true, Address: Address{FD: NoFD, Unix: path}}
	if _, err := s.Change(t.Context(), "a", c); err != nil {
		t.Fatal(err)
	}
	d, err := s.Use("a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(true, echo); err != nil {
		t.Fatal(err)
	}
	if got := say(t, dialUnix(t, path), "hello"); got != "hello" {
		t.Errorf("%q", got)
	}
}

func TestPty(t *testing.T) {
	s := newSet(t)
	link := filepath.Join(t.TempDir(), "tty")
	name, err := s.Add(t.Context(), Config{Label: "a", Backend: "pty", Path: link, Address: Address{FD: NoFD}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(link); got != name || err != nil {
		t.Errorf("the link leads to %s, %v", got, err)
	}
	d, err := s.Use("a", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(false, echo); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it may be opened again
		f, err := os.OpenFile(link, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("a\r\x03"); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 3)
		if _, err := io.ReadFull(f, got); err != nil || string(got) != "a\r\x03" {
			t.Errorf("%q, %v", got, err)
		}
		f.Close()
	}
	if got := described(s); got != "a=pty:"+name+"*" {
		t.Error(got)
	}
	if _, err := s.Add(t.Context(), Config{Label: "b", Backend: "pty", Path: link}); text(err) != "Failed to create PTY symlink: File exists" {
		t.Error(err)
	}
	s.Close()
	if _, err := os.Lstat(link); !errors.Is(err, os.ErrNotExist) {
		t.Error("the link stays")
	}
}

// TestAbstract: a socket without a file, with and without padding.
func TestAbstract(t *testing.T) {
	for _, tight := range []string{"on", "off"} {
		name := "backplane-test-" + filepath.Base(t.TempDir()) + tight + filepath.Base(t.TempDir())
		name = name[:min(len(name), 60)]
		server := open(t, "socket,id=a,path="+name+",abstract=on,tight="+tight+",server=on,wait=off")
		if err := server.Serve(true, echo); err != nil {
			t.Fatal(err)
		}
		client := open(t, "socket,id=b,path="+name+",abstract=on,tight="+tight)
		if want := "unix:" + name + ",abstract=on" + map[string]string{"on": ",tight=on"}[tight]; client.Filename() != want {
			t.Errorf("%s, want %s", client.Filename(), want)
		}
	}
}

// TestPortRange: a server takes the first free port.
func TestPortRange(t *testing.T) {
	first := open(t, "socket,id=a,host=127.0.0.1,port=0,server=on,wait=off")
	taken := first.Addr().(*net.TCPAddr).Port
	c := Config{Label: "b", Backend: "socket", Server: true, Address: Address{
		FD: NoFD, Host: "127.0.0.1", Port: strconv.Itoa(taken), Network: "tcp4", To: uint64(taken + 20)}}
	second, err := Open(t.Context(), sched.NewWorld(), c, Host{})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if got := second.Addr().(*net.TCPAddr).Port; got <= taken || got > taken+20 {
		t.Errorf("port %d, wanted one behind %d", got, taken)
	}
}

// TestMuxLog has what goes out by a mux in the mux's log and in its device's.
func TestMuxLog(t *testing.T) {
	s := newSet(t)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/m", []byte("before "), 0o600); err != nil {
		t.Fatal(err)
	}
	mustAdd(t, s, "null,id=n,logfile="+dir+"/n")
	if err := s.add("mux,id=m,chardev=n,logfile=" + dir + "/none/m"); text(err) != "Could not create '"+dir+"/none/m': No such file or directory" {
		t.Error(err)
	}
	mustAdd(t, s, "mux,id=m,chardev=n,logappend=on,logfile="+dir+"/m") // the base is free again
	d, err := s.Use("m", nil)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	if err := d.Serve(false, func(_ *sched.Thread, c Conn) {
		_, err := c.Write([]byte("said"))
		done <- err
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	d.Close()
	if err := s.Remove("m"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"m": "before said", "n": "said"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
