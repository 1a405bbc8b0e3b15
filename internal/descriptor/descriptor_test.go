package descriptor

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// opened is a new descriptor of a file that the test keeps.
func opened(t *testing.T, flag int) int {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(path, flag|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func isOpen(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

// listed is List with descriptors by their opaque strings.
func listed(s *Sets) string {
	type set struct {
		ID  int64
		FDs []string
	}
	out := []set{}
	for _, d := range s.List() {
		one := set{d.ID, []string{}}
		for _, m := range d.FDs {
			text := "-"
			if m.Opaque != nil {
				text = *m.Opaque
			}
			one.FDs = append(one.FDs, text)
		}
		out = append(out, one)
	}
	b, _ := json.Marshal(out)
	return string(b)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func ptr[T any](v T) *T { return &v }

func add(t *testing.T, s *Sets, fd int, id *int64, opaque string) Added {
	t.Helper()
	a, err := s.Add(fd, id, &opaque)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestSetsNumbers(t *testing.T) {
	s := new(Sets)
	defer s.Close()
	add(t, s, opened(t, unix.O_RDWR), ptr(int64(5)), "a")
	second := add(t, s, opened(t, unix.O_RDWR), ptr(int64(5)), "b")
	add(t, s, opened(t, unix.O_RDWR), ptr(int64(1)), "c")
	for i, want := range []int64{0, 2, 3} {
		if a := add(t, s, opened(t, unix.O_RDWR), nil, "n"); a.Set != want {
			t.Errorf("free number %d is %d, want %d", i, a.Set, want)
		}
	}
	fd := opened(t, unix.O_RDWR)
	if _, err := s.Add(fd, ptr(int64(-1)), nil); text(err) != "Parameter 'fdset-id' expects a non-negative value" || isOpen(fd) {
		t.Errorf("a negative number: %v, open: %v", err, isOpen(fd))
	}
	if got := listed(s); got != `[{"ID":5,"FDs":["a","b"]},{"ID":3,"FDs":["n"]},{"ID":2,"FDs":["n"]},{"ID":1,"FDs":["c"]},{"ID":0,"FDs":["n"]}]` {
		t.Error(got)
	}
	if err := s.Remove(5, ptr(int64(9999))); text(err) != "File descriptor named 'fdset-id:5, fd:9999' not found" {
		t.Error(err)
	}
	if err := s.Remove(77, nil); text(err) != "File descriptor named 'fdset-id:77' not found" {
		t.Error(err)
	}
	if err := s.Remove(5, ptr(int64(second.FD))); err != nil || isOpen(second.FD) {
		t.Errorf("%v, open: %v", err, isOpen(second.FD))
	}
	for _, id := range []int64{0, 1, 2, 3} {
		if err := s.Remove(id, nil); err != nil {
			t.Error(err)
		}
	}
	if got := listed(s); got != `[{"ID":5,"FDs":["a"]}]` {
		t.Error(got)
	}
}

// What is opened keeps its set's number after the set has been emptied.
func TestSetsInUse(t *testing.T) {
	s := new(Sets)
	defer s.Close()
	a := add(t, s, opened(t, unix.O_RDWR), nil, "a")
	f, err := s.Open("/dev/fdset/0", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(0, nil); err != nil || isOpen(a.FD) {
		t.Errorf("%v, open: %v", err, isOpen(a.FD))
	}
	if got := listed(s); got != `[{"ID":0,"FDs":[]}]` {
		t.Error(got)
	}
	if a := add(t, s, opened(t, unix.O_RDWR), nil, "next"); a.Set != 1 {
		t.Errorf("the number of a set in use was given again: %d", a.Set)
	}
	if b, err := io.ReadAll(f); string(b) != "content" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	for range 2 { // closing again changes nothing
		_ = f.Close()
	}
	if got := listed(s); got != `[{"ID":1,"FDs":["next"]}]` {
		t.Error(got)
	}
}

func TestOpenChoosesByAccess(t *testing.T) {
	s := new(Sets)
	defer s.Close()
	add(t, s, opened(t, unix.O_RDONLY), ptr(int64(1)), "ro")
	add(t, s, opened(t, unix.O_RDWR), ptr(int64(1)), "rw")
	add(t, s, opened(t, unix.O_RDONLY), ptr(int64(2)), "ro")
	for _, c := range []struct {
		name       string
		flag       int
		words, why string
	}{
		{"/dev/fdset/1", os.O_RDONLY, "", ""},
		{"/dev/fdset/1", os.O_RDWR | unix.O_CLOEXEC, "", ""},
		{"/dev/fdset/ 2", os.O_RDONLY, "", ""},
		{"/dev/fdset/1", os.O_WRONLY, "Failed to find file descriptor with matching flags=0x1", "permission denied"},
		{"/dev/fdset/2", os.O_RDWR | unix.O_CLOEXEC, "Failed to find file descriptor with matching flags=0x2", "permission denied"},
		{"/dev/fdset/2", os.O_RDONLY | unix.O_DIRECT, "Failed to find file descriptor with matching flags=0x4000", "permission denied"},
		{"/dev/fdset/2", os.O_RDONLY | unix.O_SYNC, "Failed to dup() given file descriptor fd=", "invalid argument"},
		{"/dev/fdset/3", os.O_RDWR, "Failed to find fdset /dev/fdset/3", "no such file or directory"},
		{"/dev/fdset/", os.O_RDWR, "Could not parse fdset /dev/fdset/", "invalid argument"},
		{"/dev/fdset/1x", os.O_RDWR, "Could not parse fdset /dev/fdset/1x", "invalid argument"},
		{"/dev/fdset/-1", os.O_RDWR, "Could not parse fdset /dev/fdset/-1", "invalid argument"},
		{"/dev/fdset/2147483648", os.O_RDWR, "Could not parse fdset /dev/fdset/2147483648", "invalid argument"},
		{"/dev/nowhere/1", os.O_RDWR, "x: No such file or directory", "no such file or directory"},
	} {
		f, err := s.Open(c.name, c.flag, 0)
		if err == nil {
			if got, _ := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); got&unix.O_ACCMODE != c.flag&unix.O_ACCMODE || c.words != "" {
				t.Errorf("%s opened for %#x with flags %#x, want %q", c.name, c.flag, got, c.words)
			}
			_ = f.Close()
			continue
		}
		var errno unix.Errno
		if words := Explain(err, "%s", "x").Desc; !strings.HasPrefix(words, c.words) || c.words == "" || !errors.As(err, &errno) || errno.Error() != c.why {
			t.Errorf("%s for %#x: %q because of %v, want %q and %s", c.name, c.flag, words, err, c.words, c.why)
		}
	}
	var none *Sets
	if _, err := none.Open("/dev/fdset/1", os.O_RDWR, 0); text(err) != "Failed to find fdset /dev/fdset/1" {
		t.Error(err)
	}
}

func TestOpenSetsFlags(t *testing.T) {
	s := new(Sets)
	defer s.Close()
	fd := opened(t, unix.O_RDWR|unix.O_NONBLOCK)
	add(t, s, fd, nil, "")
	f, err := s.Open("/dev/fdset/0", os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0); got&(unix.O_APPEND|unix.O_NONBLOCK) != unix.O_APPEND {
		t.Errorf("flags %#x", got)
	}
	_ = f.Close()
	if f, err = s.Open("/dev/fdset/0", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.Size() != 0 {
		t.Errorf("not truncated: %v, %v", st.Size(), err)
	}
}

// Closing a file whose read waits ends the read.
func TestOpenPipe(t *testing.T) {
	s := new(Sets)
	defer s.Close()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[1])
	add(t, s, p[0], nil, "")
	f, err := s.Open("/dev/fdset/0", os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() {
		_, err := f.Read(make([]byte, 1))
		done <- err
	}()
	_ = f.Close()
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

func TestSetsBound(t *testing.T) {
	s := new(Sets)
	defer s.Close()
	fd := opened(t, unix.O_RDWR)
	add(t, s, fd, ptr(int64(1)), "")
	s.kept = maxKept
	over := opened(t, unix.O_RDWR)
	if _, err := s.Add(over, nil, nil); err == nil || isOpen(over) {
		t.Errorf("%v, open: %v", err, isOpen(over))
	}
	s.kept = 1
	if err := s.Remove(1, ptr(int64(fd))); err != nil || s.kept != 0 {
		t.Errorf("%v; %d are kept", err, s.kept)
	}
}

func TestInherit(t *testing.T) {
	s := new(Sets)
	defer s.Close()
	fd := opened(t, unix.O_RDWR)
	defer unix.Close(fd)
	if err := s.Inherit(fd, 1, nil); text(err) != "fd is not valid or already in use" {
		t.Error(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
		t.Fatal(err)
	}
	if err := s.Inherit(fd, 1, nil); err != nil {
		t.Fatal(err)
	}
	own := s.List()[0].FDs[0].FD
	if flags, err := unix.FcntlInt(uintptr(own), unix.F_GETFD, 0); own == fd || err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("%d of %d: flags %#x, %v", own, fd, flags, err)
	}
	if err := s.Inherit(9999, 1, nil); text(err) != "fd is not valid or already in use" {
		t.Error(err)
	}
}

func TestNames(t *testing.T) {
	n := new(Names)
	digit, first, second := opened(t, unix.O_RDWR), opened(t, unix.O_RDWR), opened(t, unix.O_RDWR)
	if err := n.Put("1a", digit); text(err) != "Parameter 'fdname' expects a name not starting with a digit" || isOpen(digit) {
		t.Errorf("%v, open: %v", err, isOpen(digit))
	}
	if err := errors.Join(n.Put("a", first), n.Put("a", second)); err != nil || isOpen(first) {
		t.Errorf("%v, open: %v", err, isOpen(first))
	}
	if fd, err := n.Take("a"); fd != second || err != nil {
		t.Errorf("%d, %v", fd, err)
	}
	if _, err := n.Take("a"); text(err) != "File descriptor named 'a' has not been found" {
		t.Error(err)
	}
	if err := n.CloseNamed("a"); text(err) != "File descriptor named 'a' not found" {
		t.Error(err)
	}
	if err := errors.Join(n.Put("", second), n.CloseNamed("")); err != nil || isOpen(second) {
		t.Errorf("%v, open: %v", err, isOpen(second))
	}
	last, late := opened(t, unix.O_RDWR), opened(t, unix.O_RDWR)
	_ = n.Put("b", last)
	n.Close()
	_ = n.Put("c", late)
	if isOpen(last) || isOpen(late) {
		t.Errorf("open after Close: %v, %v", isOpen(last), isOpen(late))
	}
}

// pair is a connected pair of sockets.
func pair(t *testing.T) (ours, theirs *net.UnixConn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		conns[i] = c.(*net.UnixConn)
	}
	return conns[0], conns[1]
}

// send sends text with copies of n descriptors.
func send(t *testing.T, c *net.UnixConn, text string, n int) {
	t.Helper()
	var fds []int
	for range n {
		fds = append(fds, opened(t, unix.O_RDWR|unix.O_NONBLOCK))
	}
	defer closeAll(fds)
	var control []byte
	if n > 0 {
		control = unix.UnixRights(fds...)
	}
	if _, _, err := c.WriteMsgUnix([]byte(text), control, nil); err != nil {
		t.Fatal(err)
	}
}

func TestInbox(t *testing.T) {
	ours, theirs := pair(t)
	b := new(Inbox)
	buf := make([]byte, 64)
	read := func(want string) {
		t.Helper()
		if n, err := b.Read(ours, buf); err != nil || string(buf[:n]) != want {
			t.Fatalf("%q, %v, want %q", buf[:n], err, want)
		}
	}
	if _, ok := b.Take(); ok {
		t.Error("an empty inbox gives something")
	}
	send(t, theirs, "one", 3)
	read("one")
	send(t, theirs, "two", 0)
	read("two") // and what came before stays
	kept := append([]int(nil), b.fds...)
	fd, ok := b.Take()
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	status, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if !ok || err != nil || fd != kept[0] || flags&unix.FD_CLOEXEC == 0 || status&unix.O_NONBLOCK != 0 {
		t.Errorf("%d, %v, flags %#x, status %#x, %v", fd, ok, flags, status, err)
	}
	if len(kept) != 3 || isOpen(kept[1]) || isOpen(kept[2]) {
		t.Errorf("the rest of the message is open: %v", kept)
	}
	b.Return(fd)
	if again, _ := b.Take(); again != fd {
		t.Errorf("%d came back as %d", fd, again)
	}
	send(t, theirs, "three", 1)
	read("three")
	b.Return(fd) // too late
	if isOpen(fd) {
		t.Error("what was returned took the place of what came later")
	}
	old := b.fds[0]
	send(t, theirs, "four", 1)
	read("four")
	if newer, _ := b.Take(); isOpen(old) || !isOpen(newer) {
		t.Errorf("%d open: %v, %d open: %v", old, isOpen(old), newer, isOpen(newer))
	} else {
		_ = unix.Close(newer)
	}
	send(t, theirs, "five", maxMessage+4) // the kernel keeps what there is room for
	read("five")
	if len(b.fds) > maxMessage+1 || len(b.fds) < maxMessage {
		t.Errorf("%d descriptors", len(b.fds))
	}
	kept = append([]int(nil), b.fds...)
	b.Close()
	send(t, theirs, "six", 1)
	read("six")
	for _, fd := range append(kept, b.fds...) {
		if isOpen(fd) {
			t.Errorf("%d is open after Close", fd)
		}
	}
	_ = theirs.Close()
	if n, err := b.Read(ours, buf); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d, %v", n, err)
	}
}

// FuzzRights reads control messages; what they name is not touched.
func FuzzRights(f *testing.F) {
	f.Add(unix.UnixRights(3, 4, 5))
	f.Add(unix.UnixRights())
	f.Add([]byte{})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, control []byte) {
		if fds := rights(control); len(fds) > len(control)/4 {
			t.Errorf("%d descriptors in %d bytes", len(fds), len(control))
		}
	})
}

// FuzzOpen takes any name behind the prefix; only a number opens something.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"0", "7", "00", "+0", "-0", " 0", "0 ", "", "99999999999999999999", "0x0"} {
		f.Add(name)
	}
	s := new(Sets)
	fd, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := s.Add(fd, nil, nil); err != nil {
		f.Fatal(err)
	}
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, name string) {
		file, err := s.Open(root+name, os.O_RDWR, 0)
		if (err == nil) != (file != nil) {
			t.Fatalf("%v, %v", file, err)
		}
		var e *Error
		switch {
		case err == nil:
			_ = file.Close()
			if strings.Trim(name, "0+- \t\n\v\f\r") != "" {
				t.Errorf("%q opened set 0", name)
			}
		case !errors.As(err, &e):
			t.Errorf("%q: %v", name, err)
		}
	})
}
