package qmp_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
	"github.com/backplane-vm/backplane/qmp/qmptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	hello      = `{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "p"}, "capabilities": ["oob"]}}` + "\r\n"
	helloPlain = `{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": ""}, "capabilities": []}}` + "\r\n"
	event      = `{"timestamp": {"seconds": 5, "microseconds": 6}, "event": "%s", "data": {"n": %d}}` + "\r\n"
)

// A fakeServer is the other end of a client's connection, driven by the test.
type fakeServer struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Scanner
}

// send writes one piece of text.
func (s *fakeServer) send(format string, a ...any) {
	fmt.Fprintf(s.conn, format, a...) // an error shows on the client's side
}

// receive returns the next line the client has sent and its id.
func (s *fakeServer) receive() (line string, id int64) {
	if !s.lines.Scan() {
		return "", 0
	}
	v, err := qobject.ParseJSON(s.lines.Text())
	if err != nil {
		s.t.Errorf("the client sent %s: %v", s.lines.Text(), err)
		return "", 0
	}
	n, _ := v.(*qobject.Dict).Get("id")
	id, _ = n.(int64)
	return s.lines.Text(), id
}

// accept greets and lets the client negotiate.
func (s *fakeServer) accept() {
	s.send(hello)
	_, id := s.receive()
	s.send(`{"return": {}, "id": %d}`+"\r\n", id)
}

// connect returns a client of a server that runs serve in its own goroutine
// and hangs up behind it. Both are gone at the end of the test.
func connect(t *testing.T, serve func(*fakeServer)) (*qmp.Client, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	var wg sync.WaitGroup
	s := &fakeServer{t: t, conn: theirs, lines: bufio.NewScanner(theirs)}
	wg.Go(func() {
		serve(s)
		theirs.Close()
	})
	c, err := qmp.NewClient(t.Context(), ours)
	t.Cleanup(func() {
		if c != nil {
			c.Close()
		}
		ours.Close()
		wg.Wait()
	})
	return c, err
}

// connected is connect with a server that has negotiated.
func connected(t *testing.T, serve func(*fakeServer)) *qmp.Client {
	t.Helper()
	c, err := connect(t, func(s *fakeServer) {
		s.accept()
		serve(s)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientNegotiates(t *testing.T) {
	for _, test := range []struct {
		greeting, want string
		oob            bool
	}{
		{hello, `{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}, "id": 1}`, true},
		{helloPlain, `{"execute": "qmp_capabilities", "id": 1}`, false},
		{fmt.Sprintf(event, "EARLY", 1) + hello, `{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}, "id": 1}`, true},
	} {
		c, err := connect(t, func(s *fakeServer) {
			s.send("%s", test.greeting)
			if line, _ := s.receive(); line != test.want {
				t.Errorf("sent %s, want %s", line, test.want)
			}
			s.send(`{"return": {}, "id": 1}`)
			if !test.oob {
				return
			}
			_, id := s.receive()
			s.send(`{"return": [], "id": %d}`, id)
		})
		if err != nil {
			t.Fatal(err)
		}
		if v := c.Version(); v.Major != 10 || v.Minor != 0 || v.Micro != 2 {
			t.Errorf("version %v", v)
		}
		err = c.ExecuteOOB(t.Context(), "query-yank", nil, nil)
		if c.OOB() != test.oob || (err == nil) != test.oob {
			t.Errorf("oob %v, executing gives %v", c.OOB(), err)
		}
	}
}

func TestExecute(t *testing.T) {
	c := connected(t, func(s *fakeServer) {
		_, id := s.receive()
		s.send(`{"return": {"status": "running", "running": true}, "id": %d}`, id)
		_, id = s.receive()
		s.send(`{"id": %d, "error": {"class": "DeviceNotFound", "desc": "Device 'x' not found"}}`, id)
		line, id := s.receive()
		s.send(`{"return": %q, "id": %d}`, line, id)
		s.receive()
	})
	var status struct {
		Status  string
		Running bool
	}
	if err := c.Execute(t.Context(), "query-status", nil, &status); err != nil || status.Status != "running" || !status.Running {
		t.Errorf("got %+v, %v", status, err)
	}
	err := c.Execute(t.Context(), "device_del", map[string]any{"id": "x"}, nil)
	var e *qerr.Error
	if !errors.As(err, &e) || e.Class != qerr.DeviceNotFound || err.Error() != "device_del: Device 'x' not found" {
		t.Errorf("got %v", err)
	}
	var echo any
	err = c.Execute(t.Context(), "x", qobject.Members("é", []any{1, 2.5}), &echo)
	if want := `{"execute": "x", "arguments": {"\u00E9": [1, 2.5]}, "id": 4}`; err != nil || echo != want {
		t.Errorf("got %v, %v; want %v", echo, err, want)
	}
	if err := c.Execute(t.Context(), "x", []any{}, nil); err == nil || err.Error() != "x: arguments are a array and not an object" {
		t.Errorf("an array as arguments: %v", err)
	}
	if err := c.Execute(t.Context(), "x", map[string]any{"f": func() {}}, nil); err == nil {
		t.Error("a function is an argument")
	}
}

// TestManyCalls answers in reverse order, in groups as large as may be under
// way.
func TestManyCalls(t *testing.T) {
	const groups = 20
	c := connected(t, func(s *fakeServer) {
		for range groups {
			var ids []int64
			for range qmp.MaxQueue {
				_, id := s.receive()
				ids = append(ids, id)
			}
			for i := range ids {
				id := ids[len(ids)-1-i]
				s.send(`{"return": %d, "id": %d}`+"\r\n", id*10, id)
			}
		}
	})
	var wg sync.WaitGroup
	results := make(chan int64, groups*qmp.MaxQueue)
	for range groups * qmp.MaxQueue {
		wg.Go(func() {
			var n int64
			if err := c.Execute(t.Context(), "x", nil, &n); err != nil {
				t.Error(err)
			}
			results <- n
		})
	}
	wg.Wait()
	close(results)
	seen := map[int64]bool{}
	for n := range results {
		seen[n] = true
	}
	if len(seen) != groups*qmp.MaxQueue {
		t.Errorf("%d different results of %d", len(seen), groups*qmp.MaxQueue)
	}
}

// TestOOBOvertakes: with all places taken an out-of-band command still goes
// through, and one more ordinary command waits.
func TestOOBOvertakes(t *testing.T) {
	full, release := make(chan struct{}), make(chan struct{})
	c := connected(t, func(s *fakeServer) {
		var ids []int64
		for range qmp.MaxQueue {
			_, id := s.receive()
			ids = append(ids, id)
		}
		close(full)
		line, id := s.receive()
		if !strings.HasPrefix(line, `{"exec-oob": "yank"`) {
			t.Errorf("with the queue full came %s", line)
		}
		s.send(`{"return": {}, "id": %d}`, id)
		<-release
		for range ids {
			s.send(`{"return": {}, "id": %d}`, ids[0])
			ids = ids[1:]
		}
		_, id = s.receive()
		s.send(`{"return": {}, "id": %d}`, id)
	})
	var wg sync.WaitGroup
	for range qmp.MaxQueue + 1 {
		wg.Go(func() {
			if err := c.Execute(t.Context(), "slow", nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	<-full
	if err := c.ExecuteOOB(t.Context(), "yank", nil, nil); err != nil {
		t.Error(err)
	}
	close(release)
	wg.Wait()
}

// TestEventBeforeReply: the event that a command causes comes first, and the
// cursor taken before the command finds it.
func TestEventBeforeReply(t *testing.T) {
	c := connected(t, func(s *fakeServer) {
		s.send(event, "OTHER", 1)
		_, id := s.receive()
		s.send(event+event+`{"return": {}, "id": %d}`+event, "RESET", 2, "DONE", 3, id, "DONE", 4)
	})
	other, err := c.WaitEvent(t.Context(), 0, nil)
	if err != nil || other.Name != "OTHER" || other.Time != (qmp.Timestamp{5, 6}) {
		t.Fatalf("got %+v, %v", other, err)
	}
	if err := c.Execute(t.Context(), "system_reset", nil, nil); err != nil {
		t.Fatal(err)
	}
	events, next, err := c.Events().Since(other.Next)
	if err != nil || len(events) < 2 || events[0].Name != "RESET" || events[1].Name != "DONE" {
		t.Fatalf("got %v, %v", events, err)
	}
	done := func(ev qmp.Received) bool {
		n, _ := ev.Data.Get("n")
		return ev.Name == "DONE" && n == int64(4)
	}
	last, err := c.WaitEvent(t.Context(), other.Next, done)
	if err != nil || last.Next != 4 || next > last.Next {
		t.Errorf("got %+v, %v", last, err)
	}
	if _, err := c.WaitEvent(t.Context(), last.Next, nil); !errors.Is(err, qmp.ErrClosed) {
		t.Errorf("after the last event: %v", err)
	}
}

func TestLargeReply(t *testing.T) {
	const size = 3 << 20
	c := connected(t, func(s *fakeServer) {
		_, id := s.receive()
		s.send(`{"return": %q, "id": %d}`, strings.Repeat("x", size), id)
	})
	var got string
	if err := c.Execute(t.Context(), "x", nil, &got); err != nil || len(got) != size {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// TestClientAndSession connects the two halves of this package.
func TestClientAndSession(t *testing.T) {
	c, err := qmp.NewClient(t.Context(), qmptest.Pipe(t, commands(t), recordedConfig()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var echo map[string]string
	args := map[string]string{"text": strings.Repeat("é\x00\U0001F600", 100)}
	if err := c.Execute(t.Context(), "echo", args, &echo); err != nil || echo["text"] != args["text"] {
		t.Errorf("got %v, %v", echo, err)
	}
	var oob bool
	if err := c.ExecuteOOB(t.Context(), "oob", nil, &oob); err != nil || !oob {
		t.Errorf("got %v, %v", oob, err)
	}
}
