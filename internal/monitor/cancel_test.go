package monitor_test

import (
	"bufio"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// talker is a QMP client that sends and reads lines.
type talker struct {
	*guest
	net.Conn
	r      *bufio.Reader
	events []string // names, in order
}

// talk connects, with out-of-band execution.
func (g *guest) talk() *talker {
	g.Helper()
	k := &talker{guest: g, Conn: g.socket()}
	k.r = bufio.NewReaderSize(k.Conn, 1<<16)
	if err := k.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		g.Fatal(err)
	}
	k.send(`{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}`)
	k.next()
	k.next()
	return k
}

func (k *talker) send(text string) {
	k.Helper()
	if _, err := k.Write([]byte(text)); err != nil {
		k.Fatal(err)
	}
}

// next returns the next reply; it keeps the names of events.
func (k *talker) next() string {
	k.Helper()
	for {
		line, err := k.r.ReadString('\n')
		if err != nil {
			k.Fatal(err)
		}
		line = strings.TrimRight(line, "\r\n")
		if !strings.HasPrefix(line, `{"timestamp"`) {
			return line
		}
		_, name, _ := strings.Cut(line, `"event": "`)
		name, _, _ = strings.Cut(name, `"`)
		k.events = append(k.events, name)
	}
}

// ask sends a command and returns its reply.
func (k *talker) ask(text string) string {
	k.Helper()
	k.send(text)
	return k.next()
}

// settled returns once the client's command x waits.
func (k *talker) settled() {
	k.Helper()
	k.stalls(func(m *api.XStallsMonitor) bool { return m.Id != nil && *m.Id == "x" && *m.Waits })
}

// stalls returns once x-query-stalls tells of a monitor as wanted.
func (k *talker) stalls(wanted func(m *api.XStallsMonitor) bool) {
	k.Helper()
	for {
		v, err := qobject.ParseJSON(k.ask(`{"exec-oob": "x-query-stalls"}`))
		if err != nil {
			k.Fatal(err)
		}
		answer, _ := v.(*qobject.Dict).Get("return")
		var state api.XStalls
		if err := state.FromQObject(answer); err != nil {
			k.Fatal(err)
		}
		for _, m := range state.Monitors {
			if wanted(&m) {
				return
			}
		}
	}
}

const (
	cancelled  = `{"id": "x", "error": {"class": "GenericError", "desc": "The command was cancelled"}}`
	cancelling = `{"exec-oob": "x-cancel", "arguments": {"command": "x"}, "id": "c"}`
)

// held is a slow node "s", of a sector, whose gate is closed.
func (g *guest) held() (gate *block.Gate, n *block.Node) {
	g.Helper()
	gate = new(block.Gate)
	g.m.Locked("node", func() {
		var err error
		n, err = g.m.Blocks.Add(nil, block.Options{Driver: "slow", NodeName: "s", Gate: gate,
			File: &block.Options{Driver: "memory", Size: 512}})
		if err != nil {
			g.Fatal(err)
		}
		gate.Hold()
	})
	g.Cleanup(func() { g.m.Locked("release", gate.Release) })
	return gate, n
}

// writing has a write wait at the gate.
func (g *guest) writing(gate *block.Gate, n *block.Node) {
	g.m.Loop.Main.Spawn("write", func(co *coro.Co) {
		if err := n.WriteAt(co, make([]byte, 512), 0); err != nil {
			g.Error(err)
		}
	})
	g.atGate(gate, 1)
}

func (g *guest) atGate(gate *block.Gate, want int) {
	for waiting := -1; waiting != want; {
		g.m.Locked("look", func() { waiting = gate.Waiting() })
	}
}

// stopping has another client's stop wait for a write; others wait for it.
func (g *guest) stopping() (release func()) {
	gate, n := g.held()
	g.writing(gate, n)
	k := g.talk()
	k.send(`{"execute": "stop", "id": "earlier"}`)
	g.halted()
	return func() { g.m.Locked("release", gate.Release); k.next() }
}

// halted returns once the machine does not run.
func (g *guest) halted() {
	for stopped := false; !stopped; {
		g.m.Locked("look", func() { stopped = g.m.State() != machine.Running })
	}
}

// TestCancel: x-cancel reaches every coroutine command where it waits, and then
// the machine is as it was; a command that is past that comes to its end.
func TestCancel(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	free := func() {}
	writes := func(g *guest) func() {
		gate, n := g.held()
		g.writing(gate, n)
		return func() { g.m.Locked("release", gate.Release) }
	}
	flush := func(g *guest) func() {
		gate, _ := g.held()
		return func() { g.m.Locked("release", gate.Release) }
	}
	drive := func(g *guest) func() {
		gate, n := g.heldDrive()
		g.writing(gate, n)
		return func() { g.m.Locked("release", gate.Release) }
	}
	stopping := (*guest).stopping
	reader := func(g *guest) func() {
		f, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			g.Fatal(err)
		}
		return func() { f.Close() }
	}
	nothing := func(*guest) func() { return free }
	runs := func(k *talker) {
		k.Helper()
		if got := k.ask(`{"execute": "query-status", "id": 1}`); got != `{"return": {"status": "running", "running": true}, "id": 1}` {
			k.Error(got)
		}
	}
	resumed := func(k *talker) {
		k.Helper()
		runs(k)
		if got := strings.Join(k.events, " "); got != "STOP RESUME" && got != "" { // cancelled before it had stopped
			k.Errorf("events %s", got)
		}
	}
	length := func(want int64) func(k *talker) {
		return func(k *talker) {
			k.Helper()
			k.m.Locked("look", func() {
				if got := k.m.Blocks.Lookup("s").Length(); got != want {
					k.Errorf("%d bytes", got)
				}
			})
		}
	}
	medium := func(k *talker) {
		k.Helper()
		k.m.Locked("look", func() {
			if d := k.m.Blocks.Drive("d"); d == nil || d.Node() == nil || d.Node().Name() != "s" || len(k.m.Blocks.Nodes()) != 2 {
				k.Errorf("drive %+v, %d nodes", d, len(k.m.Blocks.Nodes()))
			}
		})
	}
	failedDump := func(k *talker) {
		k.Helper()
		runs(k)
		if got := k.ask(`{"execute": "query-dump", "id": 2}`); !strings.Contains(got, `"status": "failed"`) || !slices.Contains(k.events, "DUMP_COMPLETED") {
			k.Error(got, k.events)
		}
	}
	human := func(line string) string {
		return `{"execute": "human-monitor-command", "arguments": {"command-line": "` + line + `"}}`
	}
	for _, test := range []struct {
		name, command string
		hold          func(g *guest) (release func()) // has the command wait
		after         func(k *talker)                 // is true then
	}{
		{"block_resize", `{"execute": "block_resize", "arguments": {"node-name": "s", "size": 1024}}`, writes, length(512)},
		{"block_resize, human", human("block_resize d 2"), drive, length(512)},
		{"blockdev-add", `{"execute": "blockdev-add", "arguments": {"driver": "qcow2", "node-name": "q", "file": "s"}}`, flush, func(k *talker) {
			k.Helper()
			if got := k.ask(`{"execute": "query-named-block-nodes", "id": 1}`); strings.Contains(got, `"q"`) {
				k.Error(got)
			}
		}},
		{"eject", `{"execute": "eject", "arguments": {"device": "d"}}`, drive, medium},
		{"blockdev-change-medium", `{"execute": "blockdev-change-medium", "arguments": {"device": "d", "filename": "null-co://"}}`, drive, medium},
		{"drive_del", human("drive_del d"), drive, medium},
		{"blockdev-del, flush", `{"execute": "blockdev-del", "arguments": {"node-name": "s"}}`, flush, length(512)},
		{"blockdev-del, request", `{"execute": "blockdev-del", "arguments": {"node-name": "s"}}`, func(g *guest) func() {
			var over coro.Event
			begun := make(chan bool)
			g.m.Locked("node", func() {
				n, err := g.m.Blocks.Add(nil, block.Options{Driver: "memory", NodeName: "s", Size: 512})
				if err != nil {
					g.Fatal(err)
				}
				g.m.Loop.Main.Spawn("request", func(co *coro.Co) {
					from := n.Enter(co)
					close(begun)
					over.Wait(co)
					n.Leave(co, from)
				})
			})
			<-begun
			return over.Set
		}, length(512)},
		{"stop, write", `{"execute": "stop"}`, writes, resumed},
		{"stop, flush", `{"execute": "stop"}`, flush, resumed},
		{"stop, human", human("stop"), writes, resumed},
		{"cont", `{"execute": "cont"}`, stopping, nil},
		{"stop behind stop", `{"execute": "stop"}`, stopping, nil},
		{"system_reset", `{"execute": "system_reset"}`, stopping, func(k *talker) {
			if slices.Contains(k.events, "RESET") {
				k.Error(k.events)
			}
		}},
		{"info registers", human("info registers"), stopping, nil},
		{"registers in an expression", human("print $pc"), stopping, nil},
		{"x", human("x /1 0x80000000"), stopping, nil},
		{"memsave", `{"execute": "memsave", "arguments": {"val": 2147483648, "size": 8, "filename": "` + pipe + `x"}}`, stopping, nil},
		{"pmemsave, no reader", `{"execute": "pmemsave", "arguments": {"val": 0, "size": 8, "filename": "` + pipe + `"}}`, nothing, nil},
		{"pmemsave, full", `{"execute": "pmemsave", "arguments": {"val": 2147483648, "size": 3000000, "filename": "` + pipe + `"}}`, reader, nil},
		{"dump, stop", `{"execute": "dump-guest-memory", "arguments": {"paging": false, "protocol": "file:` + pipe + `d"}}`, writes, failedDump},
		{"dump, stop, detached", `{"execute": "dump-guest-memory", "arguments": {"paging": false, "detach": true, "protocol": "file:` + pipe + `e"}}`, writes, failedDump},
		{"no reader of a dump", `{"execute": "dump-guest-memory", "arguments": {"paging": false, "protocol": "file:` + pipe + `"}}`, nothing, runs},
		{"dump, full", `{"execute": "dump-guest-memory", "arguments": {"paging": false, "protocol": "file:` + pipe + `"}}`, reader, failedDump},
		{"chardev-add", `{"execute": "chardev-add", "arguments": {"id": "c", "backend": {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": "` + pipe + `c"}}}}}}`,
			nothing, func(k *talker) {
				if got := k.ask(`{"execute": "query-chardev", "id": 1}`); got != `{"return": [], "id": 1}` {
					k.Error(got)
				}
			}},
		{"chardev-add, human", human("chardev-add socket,id=c,server=on,path=" + pipe + "h"), nothing, nil},
		{"chardev-change", `{"execute": "chardev-change", "arguments": {"id": "c", "backend": {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": "` + pipe + `c"}}}}}}`,
			func(g *guest) func() {
				k := g.talk()
				if got := k.ask(`{"execute": "chardev-add", "arguments": {"id": "c", "backend": {"type": "null", "data": {}}}}`); got != `{"return": {}}` {
					g.Fatal(got)
				}
				return free
			}, func(k *talker) {
				if got := k.ask(`{"execute": "query-chardev", "id": 1}`); !strings.Contains(got, `"filename": "null"`) {
					k.Error(got)
				}
			}},
		{"x-monitor-remove", `{"execute": "x-monitor-remove", "arguments": {"id": "m"}}`, (*guest).monitorInWork, func(k *talker) {
			if got := k.ask(`{"execute": "chardev-remove", "arguments": {"id": "m"}, "id": 1}`); !strings.Contains(got, "busy") {
				k.Error(got)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := start(t, 1)
			g.con.await(t, "ready")
			release := test.hold(g)
			k := g.talk()
			k.send(strings.TrimSuffix(test.command, "}") + `, "id": "x"}`)
			k.settled()
			if strings.HasPrefix(test.name, "dump, ") { // not for its file any more
				g.halted()
			}
			got := []string{k.ask(cancelling), k.next()} // either may be first
			slices.Sort(got)
			if got[0] != cancelled || got[1] != `{"return": {}, "id": "c"}` {
				t.Errorf("got %s", got)
			}
			if test.after != nil {
				test.after(k)
			}
			release()
			for _, text := range []string{"stop", "cont"} {
				if got := k.ask(`{"execute": "` + text + `", "id": 1}`); got != `{"return": {}, "id": 1}` {
					t.Error(got)
				}
			}
		})
	}
}

// TestWaitingForDisks: while a command waits for a disk that hangs, other clients
// are answered, whatever they ask for.
func TestWaitingForDisks(t *testing.T) {
	const done = `{"return": {}, "id": "x"}`
	for _, test := range []struct{ command, args, want string }{
		{"block_resize", `{"node-name": "s", "size": 1024}`, done},
		{"blockdev-reopen", `{"options": [{"driver": "null-co", "node-name": "n"}]}`, done},
		{"blockdev-add", `{"driver": "qcow2", "node-name": "q", "file": "s"}`,
			`{"id": "x", "error": {"class": "GenericError", "desc": "Image is not in qcow2 format"}}`},
		{"stop", `{}`, done},
	} {
		t.Run(test.command, func(t *testing.T) {
			g := start(t, 1)
			gate, n := g.held()
			g.writing(gate, n)
			k, other := g.talk(), g.talk()
			for _, command := range []string{
				`"blockdev-add", "arguments": {"driver": "null-co", "node-name": "n"}`,
				`"blockdev-add", "arguments": {"driver": "null-co", "node-name": "gone"}`,
			} {
				if got := other.ask(`{"execute": ` + command + `}`); got != `{"return": {}}` {
					t.Fatal(got)
				}
			}
			k.send(`{"execute": "` + test.command + `", "arguments": ` + test.args + `, "id": "x"}`)
			k.settled()
			for _, command := range []string{
				`"query-name"`, `"query-block"`, `"blockdev-del", "arguments": {"node-name": "gone"}`,
				`"object-add", "arguments": {"qom-type": "iothread", "id": "t"}`, `"object-del", "arguments": {"id": "t"}`,
			} {
				if got := other.ask(`{"execute": ` + command + `}`); !strings.HasPrefix(got, `{"return"`) {
					t.Errorf("%s: %s", command, got)
				}
			}
			if got := other.ask(`{"execute": "device_add", "arguments": {"driver": "nonesuch"}}`); !strings.Contains(got, "not a valid device model") {
				t.Error(got)
			}
			g.m.Locked("release", gate.Release)
			if got := k.next(); got != test.want {
				t.Error(got)
			}
		})
	}
}

// monitorInWork is a monitor "m" with a client whose command waits for ever.
func (g *guest) monitorInWork() (release func()) {
	free := g.block()
	path := filepath.Join(g.TempDir(), "m")
	k := g.talk()
	for _, text := range []string{
		`{"execute": "chardev-add", "arguments": {"id": "m", "backend": {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": "` + path + `"}}, "wait": false}}}}`,
		`{"execute": "x-monitor-add", "arguments": {"id": "m", "chardev": "m"}}`,
	} {
		if got := k.ask(text); got != `{"return": {}}` {
			g.Fatal(got)
		}
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		g.Fatal(err)
	}
	if _, err := conn.Write([]byte(`{"execute": "qmp_capabilities"}` + stuck + "}")); err != nil {
		g.Fatal(err)
	}
	for !strings.Contains(k.ask(`{"exec-oob": "x-query-stalls"}`), `"id": "stuck"`) {
	}
	return func() { free(); conn.Close() }
}

// TestPastCancelling: what has gone too far to be undone comes to its end, and
// says so.
func TestPastCancelling(t *testing.T) {
	g := start(t, 0)
	gate, n := g.held()
	k := g.talk()
	k.send(`{"execute": "block_resize", "arguments": {"node-name": "s", "size": 1024}, "id": "x"}`)
	g.atGate(gate, 1)
	if got := k.ask(cancelling); got != `{"return": {}, "id": "c"}` {
		t.Fatal(got)
	}
	g.m.Locked("release", gate.Release)
	if got := k.next(); got != `{"return": {}, "id": "x"}` || n.Length() != 1024 {
		t.Errorf("%s, %d bytes", got, n.Length())
	}
}

// TestClientGoes: the command in work of a client that goes is finished.
func TestClientGoes(t *testing.T) {
	g := start(t, 0)
	gate, n := g.held()
	k := g.talk()
	k.send(`{"execute": "block_resize", "arguments": {"node-name": "s", "size": 1024}}`)
	g.atGate(gate, 1)
	k.Close()
	g.m.Locked("release", gate.Release)
	for length := int64(0); length != 1024; {
		g.m.Locked("look", func() { length = n.Length() })
	}
}

// TestDeadlineOfStop: a stop that takes too long leaves the guest running.
func TestDeadlineOfStop(t *testing.T) {
	g := start(t, 0)
	gate, n := g.held()
	g.writing(gate, n)
	k := g.talk()
	want := `{"id": 1, "error": {"class": "GenericError", "desc": "The command's deadline has passed"}}`
	if got := k.ask(`{"execute": "stop", "id": 1, "x-deadline-ms": 20}`); got != want {
		t.Error(got)
	}
	if got := k.ask(`{"execute": "query-status"}`); got != `{"return": {"status": "running", "running": true}}` {
		t.Error(got)
	}
}
