//go:build unix

package qmp_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// A taker is a server that takes files.
type taker struct {
	t    *testing.T
	conn *net.UnixConn
}

// receive returns the next request's command and id, and what the files that
// came with it hold.
func (s taker) receive() (command string, id int64, contents []string) {
	line, control := make([]byte, 4096), make([]byte, 512)
	n, m, _, _, err := s.conn.ReadMsgUnix(line, control)
	if err != nil {
		s.t.Error(err)
		return "", 0, nil
	}
	v, err := qobject.ParseJSON(string(line[:n]))
	if err != nil {
		s.t.Error(err)
		return "", 0, nil
	}
	var request struct {
		Execute string
		ID      int64
	}
	if err := qobject.Decode(v, &request); err != nil {
		s.t.Error(err)
	}
	messages, _ := syscall.ParseSocketControlMessage(control[:m])
	for i := range messages {
		fds, _ := syscall.ParseUnixRights(&messages[i])
		for _, fd := range fds {
			f := os.NewFile(uintptr(fd), "received")
			b, err := io.ReadAll(f)
			_ = f.Close()
			if err != nil {
				s.t.Error(err)
			}
			contents = append(contents, string(b))
		}
	}
	return request.Execute, request.ID, contents
}

func (s taker) say(v *qobject.Dict) {
	if _, err := s.conn.Write(append(qobject.Append(nil, v), '\n')); err != nil {
		s.t.Error(err)
	}
}

func (s taker) reply(id int64) { s.say(qobject.Members("return", qobject.NewDict(), "id", id)) }

// taking is a client of a taker, for which serve speaks once it is negotiated.
func taking(t *testing.T, serve func(taker)) *qmp.Client {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	over := make(chan struct{})
	go func() {
		defer close(over)
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		s := taker{t, conn.(*net.UnixConn)}
		s.say(qmp.Greeting(qmp.Version{Major: 10}, true))
		_, id, _ := s.receive()
		s.reply(id)
		serve(s)
	}()
	c, err := qmp.Dial(t.Context(), "unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		<-over
	})
	return c
}

// content is an open file that holds text.
func content(t *testing.T, text string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestWithFiles(t *testing.T) {
	c := taking(t, func(s taker) {
		for _, want := range []string{"getfd one two", "query-status", "getfd three"} {
			command, id, contents := s.receive()
			if got := strings.Join(append([]string{command}, contents...), " "); got != want {
				s.t.Errorf("%q came, want %q", got, want)
			}
			s.reply(id)
		}
	})
	one, two := content(t, "one"), content(t, "two")
	args := map[string]any{"fdname": "a"}
	if err := c.WithFiles(one, two).Execute(t.Context(), "getfd", args, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.WithFiles().Execute(t.Context(), "query-status", nil, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.WithFiles(content(t, "three")).Execute(t.Context(), "getfd", args, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Stat(); err != nil {
		t.Errorf("the caller's file: %v", err)
	}
}

// A command with files waits for the reply to the one before it, or the server
// would close what that brought.
func TestFilesOneAtATime(t *testing.T) {
	first, asked := make(chan struct{}), make(chan struct{})
	c := taking(t, func(s taker) {
		_, id, _ := s.receive()
		close(first)
		if command, other, _ := s.receive(); command != "query-status" {
			s.t.Errorf("%q came before the reply", command)
		} else {
			s.reply(other)
		}
		<-asked
		s.reply(id)
		if command, id, contents := s.receive(); command != "add-fd" || len(contents) != 1 || contents[0] != "two" {
			s.t.Errorf("%q with %q", command, contents)
		} else {
			s.reply(id)
		}
	})
	done := make(chan error, 2)
	one, two := content(t, "one"), content(t, "two")
	go func() { done <- c.WithFiles(one).Execute(t.Context(), "getfd", nil, nil) }()
	<-first
	given, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.WithFiles(two).Execute(given, "add-fd", nil, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	go func() { done <- c.WithFiles(two).Execute(t.Context(), "add-fd", nil, nil) }()
	if err := c.Execute(t.Context(), "query-status", nil, nil); err != nil {
		t.Error(err)
	}
	close(asked)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestFilesThatCannotBeSent(t *testing.T) {
	f := content(t, "x")
	pipe := connected(t, func(*fakeServer) {})
	if err := pipe.WithFiles(f).Execute(t.Context(), "getfd", nil, nil); err == nil || err.Error() != "getfd: files can be sent over unix sockets only" {
		t.Error(err)
	}
	c := taking(t, func(s taker) {
		if command, id, contents := s.receive(); command != "query-status" || len(contents) != 0 {
			s.t.Errorf("%q with %q", command, contents)
		} else {
			s.reply(id)
		}
	})
	many := make([]*os.File, qmp.MaxFiles+1)
	for i := range many {
		many[i] = f
	}
	if err := c.WithFiles(many...).Execute(t.Context(), "getfd", nil, nil); err == nil || !strings.Contains(err.Error(), "maximum is 16") {
		t.Error(err)
	}
	_ = f.Close()
	if err := c.WithFiles(f).Execute(t.Context(), "getfd", nil, nil); err == nil {
		t.Error("a closed file was sent")
	}
	if err := c.Execute(t.Context(), "query-status", nil, nil); err != nil { // and the turn is free
		t.Error(err)
	}
}

// What waits to be sent with files when the client is closed leaves none open.
func TestFilesNeverSent(t *testing.T) {
	begun, stuck := make(chan struct{}), make(chan struct{})
	c := taking(t, func(s taker) {
		_, _ = s.conn.Read(make([]byte, 1)) // of what does not fit into the socket
		close(begun)
		<-stuck
	})
	defer close(stuck)
	given, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- c.Execute(given, "x", map[string]string{"data": strings.Repeat("x", 2<<20)}, nil) }()
	<-begun
	f := content(t, "x")
	go func() { done <- c.WithFiles(f).Execute(given, "getfd", nil, nil) }()
	for opened(t, f) < 2 { // a copy waits
	}
	cancel()
	for range 2 {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	_ = c.Close()
	if n := opened(t, f); n != 1 {
		t.Errorf("the file is open %d times", n)
	}
}

// opened tells how often this process has f open.
func opened(t *testing.T, f *os.File) (n int) {
	t.Helper()
	want, err := os.Stat(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	paths, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("there is no list of open files: %v", err)
	}
	for _, path := range paths {
		if got, err := os.Stat(path); err == nil && os.SameFile(got, want) {
			n++
		}
	}
	return n
}
