package monitor_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// unixEnd is a monitor's end of a socket that descriptors come over, as a
// character device's.
type unixEnd struct {
	*net.UnixConn
	inbox descriptor.Inbox
}

func (e *unixEnd) Read(p []byte) (int, error) { return e.inbox.Read(e.UnixConn, p) }
func (e *unixEnd) TakeFD() (int, bool)        { return e.inbox.Take() }
func (e *unixEnd) ReturnFD(fd int)            { e.inbox.Return(fd) }

func (e *unixEnd) Close() error {
	defer e.inbox.Close()
	return e.UnixConn.Close()
}

// passer is a client that sends descriptors.
type passer struct {
	*testing.T
	conn *net.UnixConn
	r    *bufio.Reader
}

// passer connects a client, with out-of-band execution.
func (g *guest) passer(t *testing.T, serve func(*unixEnd)) *passer {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		c, err := net.FileConn(f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
		ends[i] = c.(*net.UnixConn)
	}
	end := &unixEnd{UnixConn: ends[1]}
	g.m.World.Go("reader", func(*sched.Thread) { serve(end) })
	p := &passer{t, ends[0], bufio.NewReader(ends[0])}
	t.Cleanup(func() { _ = p.conn.Close() })
	return p
}

func (g *guest) qmpPasser(t *testing.T) *passer {
	p := g.passer(t, func(end *unixEnd) { g.set.ServeQMP(end, false) })
	p.line()
	p.send(`{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}`)
	p.line()
	return p
}

func (p *passer) line() string {
	p.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(time.Minute))
	line, err := p.r.ReadString('\n')
	if err != nil {
		p.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// send sends a line, with files of the given sizes.
func (p *passer) send(line string, sizes ...int64) {
	p.Helper()
	var fds []int
	for _, size := range sizes {
		f, err := os.Create(filepath.Join(p.TempDir(), "passed"))
		if err == nil {
			err = f.Truncate(size)
		}
		if err != nil {
			p.Fatal(err)
		}
		defer f.Close()
		fds = append(fds, int(f.Fd()))
	}
	if _, _, err := p.conn.WriteMsgUnix([]byte(line+"\n"), unix.UnixRights(fds...), nil); err != nil {
		p.Fatal(err)
	}
}

// passed counts the files that this process, which is client and machine, has
// open of those that were sent.
func passed(t *testing.T) (n int) {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if to, _ := os.Readlink("/proc/self/fd/" + name.Name()); filepath.Base(to) == "passed" {
			n++
		}
	}
	return n
}

// Descriptors stay with the commands that they came with while those wait in the
// queue, and go with a client that goes.
func TestQueuedDescriptors(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 0)
	other := g.qmp(ctx)
	const waits = `{"execute": "chardev-add", "arguments": {"id": "c", "backend": {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": %q}}}}}}`
	path := filepath.Join(t.TempDir(), "s")
	waiting := func() bool {
		_, err := os.Stat(path)
		human(t, ctx, other, "info status")
		return err == nil
	}
	p := g.qmpPasser(t)
	p.send(fmt.Sprintf(waits, path))
	for !waiting() {
	}
	for i := range 5 {
		p.send(fmt.Sprintf(`{"execute": "add-fd", "arguments": {"fdset-id": %d}}`, i), int64(i))
	}
	p.send(`{"execute": "add-fd", "arguments": {"nonesuch": 1}}`, 77)
	p.send(`{"execute": "add-fd", "arguments": {"fdset-id": 9}}`)
	for passed(t) < 6 { // all have been read
		human(t, ctx, other, "info status")
	}
	if err := other.Execute(ctx, "chardev-remove", qobject.Members("id", "c"), nil); err != nil {
		t.Fatal(err)
	}
	p.line()
	for range 5 {
		if got := p.line(); !strings.HasPrefix(got, `{"return": {"fd": `) {
			t.Error(got)
		}
	}
	if got := p.line(); !strings.Contains(got, "'nonesuch' is unexpected") {
		t.Error(got)
	}
	p.line() // with what the refused one has left, or nothing if it was read first
	for _, set := range g.m.Files.List() {
		var st unix.Stat_t
		if err := unix.Fstat(set.FDs[0].FD, &st); err != nil || st.Size != set.ID && set.ID != 9 {
			t.Errorf("set %d has a file of %d bytes, %v", set.ID, st.Size, err)
		}
		if err := g.m.Files.Remove(set.ID, nil); err != nil {
			t.Error(err)
		}
	}

	p.send(`{"execute": "getfd", "arguments": {"fdname": "a"}}`, 1)
	p.line()
	p.send(fmt.Sprintf(waits, path))
	for !waiting() {
	}
	p.send(`{"execute": "getfd", "arguments": {"fdname": "b"}}`, 1)
	p.send(`{"execute": "query-name"}`, 1, 1, 1)
	_ = p.conn.Close()
	for passed(t) > 0 {
		human(t, ctx, other, "info status")
	}
}

// A human monitor has its own names, and what it runs for QMP has none.
func TestHumanDescriptors(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 0)
	other := g.qmp(ctx)
	p := g.passer(t, func(end *unixEnd) { g.set.ServeHMP(end) })
	ask := func(line string, sizes ...int64) string {
		p.send(line, sizes...)
		for {
			if got := p.line(); strings.HasPrefix(got, "Error") {
				return got
			}
		}
	}
	for _, c := range []struct {
		line, want string
		sizes      []int64
	}{
		{"getfd a", "Error: No file descriptor supplied via SCM_RIGHTS", nil},
		{"getfd 1", "Error: Parameter 'fdname' expects a name not starting with a digit", []int64{1}},
		{"getfd a\nclosefd a\nclosefd a", "Error: File descriptor named 'a' not found", []int64{1, 1}},
		{"getfd a\nchardev-add socket,id=c,fd=a", "Error: File descriptor 'a' is not a socket", []int64{1}},
		{"chardev-add socket,id=c,fd=a", "Error: File descriptor named 'a' has not been found", nil},
	} {
		if got := ask(c.line, c.sizes...); got != c.want {
			t.Errorf("%q: %q, want %q", c.line, got, c.want)
		}
	}
	q := g.qmpPasser(t)
	q.send(`{"execute": "human-monitor-command", "arguments": {"command-line": "getfd a"}}`, 1)
	if got := q.line(); got != `{"return": "Error: No file descriptor supplied via SCM_RIGHTS\r\n"}` {
		t.Error(got)
	}
	q.send(`{"execute": "getfd", "arguments": {"fdname": "a"}}`) // for it is still there
	if got := q.line(); got != `{"return": {}}` {
		t.Error(got)
	}
	_, _ = p.conn.Close(), q.conn.Close()
	for passed(t) > 0 {
		human(t, ctx, other, "info status")
	}
}
