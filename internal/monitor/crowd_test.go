package monitor_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// socket returns one end of a unix socket at whose other end a monitor serves.
func (g *guest) socket() net.Conn {
	g.Helper()
	l, err := net.Listen("unix", filepath.Join(g.TempDir(), "s"))
	if err != nil {
		g.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		g.Fatal(err)
	}
	theirs, err := l.Accept()
	if err != nil {
		g.Fatal(err)
	}
	g.m.World.Go("qmp reader", func(*sched.Thread) { g.set.ServeQMP(theirs, false) })
	g.Cleanup(func() { ours.Close() })
	return ours
}

func (g *guest) dial(ctx context.Context) *qmp.Client {
	g.Helper()
	c, err := qmp.NewClient(ctx, g.socket())
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() { c.Close() })
	return c
}

// block keeps grace periods from ending until the function it returns is
// called: what waits for one waits for ever.
func (g *guest) block() (free func()) {
	enter, leave := make(chan struct{}), make(chan struct{})
	g.m.World.Go("stays", func(*sched.Thread) {
		r := g.m.RCU.Register("stays")
		defer r.Unregister()
		r.Lock()
		close(enter)
		<-leave
		r.Unlock()
	})
	<-enter
	free = sync.OnceFunc(func() { close(leave) })
	g.Cleanup(free)
	return free
}

// stuck is a command that fails, and whose answer waits for a grace period.
const stuck = `{"execute": "device_add", "arguments": {"driver": "virtio-blk-pci", "drive": "none", "bus": "rp0"}, "id": "stuck"`

// A client that reads no reply, and what it wants.
type slow struct {
	net.Conn
	asked int
}

// ask sends n commands with large replies, as far as the monitor takes them.
func (s *slow) ask(n int, ended *sync.WaitGroup) {
	s.asked = n
	ended.Go(func() {
		var text strings.Builder
		text.WriteString(`{"execute": "qmp_capabilities"}`)
		for i := range n {
			fmt.Fprintf(&text, `{"execute": "query-qmp-schema", "id": %d}`, i)
		}
		_, _ = s.Write([]byte(text.String())) // an error shows as a missing reply
	})
}

// replies reads everything and counts the replies, which come in order.
func (s *slow) replies() error {
	r := bufio.NewReaderSize(s, 1<<20)
	for i := -2; i < s.asked; i++ { // the greeting, negotiation
		line, err := r.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, `{"timestamp"`) {
			i--
			continue
		}
		if want := fmt.Sprintf("\"id\": %d}\r\n", i); i >= 0 && !strings.HasSuffix(line, want) {
			return fmt.Errorf("reply %d ends in %s", i, line[len(line)-20:])
		}
	}
	return nil
}

// TestCrowd: of 64 clients one never reads and one runs a command that waits
// for ever; the others get all their replies. Then the slow one reads, and it
// gets all of its own.
func TestCrowd(t *testing.T) {
	const clients, commands = 64, 200
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g := start(t, 1)
	g.con.await(t, "ready")
	g.block()

	var writers sync.WaitGroup
	defer writers.Wait()
	sleeper := &slow{Conn: g.socket()}
	defer sleeper.Close()
	sleeper.ask(300, &writers)
	waits := g.dial(ctx)
	answer := make(chan error, 1)
	writers.Go(func() {
		answer <- waits.Execute(ctx, "device_add", map[string]string{"driver": "virtio-blk-pci", "drive": "none", "bus": "rp0"}, nil)
	})

	var others sync.WaitGroup
	for range clients - 2 {
		c := g.dial(ctx)
		others.Go(func() {
			for range commands {
				var status api.StatusInfo
				if err := c.Execute(ctx, "query-status", nil, &status); err != nil || !status.Running {
					t.Errorf("query-status: %+v, %v", status, err)
					return
				}
			}
		})
	}
	others.Wait()

	var found *api.XStallsMonitor
	for found == nil {
		state := g.stalls(ctx, waits)
		for i := range state.Monitors {
			if m := &state.Monitors[i]; m.Command != nil && *m.Command == "device_add" && *m.Waits {
				found = m
			}
		}
		if !state.Rcu.Waiting {
			found = nil // the grace period has not begun yet
		} else if found != nil && (len(state.Rcu.Holding) != 1 || state.Rcu.Holding[0] != "stays" || len(state.Monitors) != clients) {
			t.Errorf("x-query-stalls: %s", qobject.Encode(state))
		}
	}
	if found.Id == nil || *found.Since <= 0 {
		t.Fatalf("%+v", found)
	}
	if err := waits.ExecuteOOB(ctx, "x-cancel", map[string]any{"command": *found.Id}, nil); err != nil {
		t.Error(err)
	}
	var e *qerr.Error
	if err := <-answer; !errors.As(err, &e) || e.Desc != "The command was cancelled" {
		t.Errorf("the cancelled command answers %v", err)
	}
	if err := sleeper.replies(); err != nil {
		t.Errorf("the slow client lost a reply: %v", err)
	}
}

func (g *guest) stalls(ctx context.Context, c *qmp.Client) *api.XStalls {
	g.Helper()
	var state api.XStalls
	if err := c.ExecuteOOB(ctx, "x-query-stalls", nil, &state); err != nil {
		g.Fatal(err)
	}
	return &state
}

// TestSlowReader: what waits for a client that does not read is bounded, and
// the client is not read from.
func TestSlowReader(t *testing.T) {
	for name, connect := range map[string]func(*guest) net.Conn{
		"socket": (*guest).socket,
		"pipe": func(g *guest) net.Conn {
			ours, theirs := net.Pipe()
			g.m.World.Go("qmp reader", func(*sched.Thread) { g.set.ServeQMP(theirs, false) })
			return ours
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, 0)
			sleeper := &slow{Conn: connect(g)}
			var writers sync.WaitGroup
			sleeper.ask(200, &writers) // some 40 MB
			watcher := g.dial(t.Context())
			for stopped := false; !stopped; {
				for _, m := range g.stalls(t.Context(), watcher).Monitors {
					if m.Unread > 3<<20 {
						t.Fatalf("%d bytes wait for the client", m.Unread)
					}
					stopped = stopped || m.Stopped != nil && *m.Stopped == api.XStallsReasonOutput
				}
			}
			if err := sleeper.replies(); err != nil {
				t.Error(err)
			}
			sleeper.Close()
			writers.Wait()
		})
	}
}

// TestGivenUp: deadlines and cancellation reach commands that wait, and those
// that have not begun.
func TestGivenUp(t *testing.T) {
	for _, test := range []struct {
		name  string
		sends []string
		want  []string // in order
		after string   // sent behind those
	}{
		{"deadline of what waits", []string{stuck + `, "x-deadline-ms": 20}`},
			[]string{`{"id": "stuck", "error": {"class": "GenericError", "desc": "The command's deadline has passed"}}`}, ""},
		{"deadline of what is queued", []string{stuck + `, "x-deadline-ms": 30}`, `{"execute": "query-name", "id": 2, "x-deadline-ms": 0}`},
			[]string{`{"id": "stuck", "error": {"class": "GenericError", "desc": "The command's deadline has passed"}}`,
				`{"id": 2, "error": {"class": "GenericError", "desc": "The command's deadline has passed"}}`}, ""},
		{"a long deadline", []string{`{"execute": "stop", "id": 1, "x-deadline-ms": 9999999999999}`}, []string{`{"return": {}, "id": 1}`}, ""},
		{"cancelled in the queue", []string{stuck + `}`, `{"execute": "query-name", "id": {"a": [1]}}`},
			[]string{`{"return": {}, "id": "c"}`,
				`{"id": "stuck", "error": {"class": "GenericError", "desc": "Property 'virtio-blk-device.drive' can't find value 'none'"}}`,
				`{"id": {"a": [1]}, "error": {"class": "GenericError", "desc": "The command was cancelled"}}`},
			`{"exec-oob": "x-cancel", "arguments": {"command": {"a": [1]}}, "id": "c"}`},
		{"cancel nothing", []string{`{"exec-oob": "x-cancel", "arguments": {"command": 5}, "id": 1}`},
			[]string{`{"id": 1, "error": {"class": "GenericError", "desc": "No command with this id waits"}}`}, ""},
		{"cancel elsewhere", []string{`{"exec-oob": "x-cancel", "arguments": {"command": 5, "monitor": "qmp9"}, "id": 1}`},
			[]string{`{"id": 1, "error": {"class": "GenericError", "desc": "There is no monitor 'qmp9'"}}`}, ""},
		{"no deadline", []string{`{"execute": "query-name", "id": 1, "x-deadline-ms": -1}`, `{"execute": "query-name", "id": 2, "x-deadline-ms": "1"}`},
			[]string{`{"id": 1, "error": {"class": "GenericError", "desc": "QMP input member 'x-deadline-ms' must be a number of milliseconds"}}`,
				`{"id": 2, "error": {"class": "GenericError", "desc": "QMP input member 'x-deadline-ms' must be a number of milliseconds"}}`}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := start(t, 1)
			free := g.block()
			conn := g.socket()
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			r := bufio.NewReader(conn)
			next := func() string {
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						t.Fatal(err)
					}
					if !strings.HasPrefix(line, `{"timestamp"`) {
						return strings.TrimRight(line, "\r\n")
					}
				}
			}
			send := func(text string) {
				if _, err := conn.Write([]byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			send(`{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}`)
			next()
			next()
			for _, text := range test.sends {
				send(text)
			}
			send(test.after)
			for _, want := range test.want {
				got := next()
				if got != want {
					t.Errorf("got %s\nwant %s", got, want)
				}
				if strings.HasSuffix(got, `"id": "c"}`) { // cancelled while it was in the queue
					free()
				}
			}
			free()
		})
	}
}
