package monitor_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/qapi/api"
)

// terminal makes a human monitor on a character device and sits down at it.
func (k *talker) terminal(t *testing.T, backend string) *typist {
	t.Helper()
	got := k.ask(`{"execute": "chardev-add", "arguments": {"id": "t", "backend": ` + backend + `}}`)
	if added := k.ask(`{"execute": "x-monitor-add", "arguments": {"id": "t", "chardev": "t", "mode": "readline"}}`); added != `{"return": {}}` {
		t.Fatal(got, added)
	}
	_, pty, _ := strings.Cut(got, `"pty": "`)
	pty, _, _ = strings.Cut(pty, `"`)
	_, name, _ := strings.Cut(k.ask(`{"execute": "query-chardev"}`), `"filename": "disconnected:`)
	name, _, _ = strings.Cut(name, `,`)
	var conn deadlined
	var err error
	switch protocol, address, _ := strings.Cut(name, ":"); {
	case pty != "":
		conn, err = os.OpenFile(pty, os.O_RDWR|syscall.O_NOCTTY, 0)
	case protocol == "unix":
		conn, err = net.Dial("unix", address)
	default:
		conn, err = net.Dial("tcp", address)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	term := &typist{T: t, conn: conn}
	term.until("(qemu) ")
	return term
}

// terminalWaits returns once a command waits at the human monitor.
func (k *talker) terminalWaits() {
	k.Helper()
	k.stalls(func(m *api.XStallsMonitor) bool {
		return strings.HasPrefix(m.Label, "hmp") && m.Stopped != nil && *m.Stopped == api.XStallsReasonQueue
	})
}

const (
	ctrlC   = "\x03"
	givenUp = "\r\nError: The command was cancelled\r\n(qemu) "
)

// TestInterruptKey: Ctrl-C at a terminal gives up the command that waits there, as
// x-cancel does; nobody else notices, and what was typed meanwhile is kept.
func TestInterruptKey(t *testing.T) {
	for name, test := range map[string]struct{ backend, key string }{
		"unix":   {`{"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": "%s"}}, "wait": false}}`, ctrlC},
		"pty":    {`{"type": "pty", "data": {}}`, ctrlC},
		"tcp":    {`{"type": "socket", "data": {"addr": {"type": "inet", "data": {"host": "127.0.0.1", "port": "0"}}, "wait": false}}`, ctrlC},
		"telnet": {`{"type": "socket", "data": {"addr": {"type": "inet", "data": {"host": "127.0.0.1", "port": "0"}}, "wait": false, "telnet": true}}`, ctrlC},
		"telnet, Interrupt Process": {
			`{"type": "socket", "data": {"addr": {"type": "inet", "data": {"host": "127.0.0.1", "port": "0"}}, "wait": false, "telnet": true}}`, "\xff\xf4"},
		"telnet, Break": {
			`{"type": "socket", "data": {"addr": {"type": "inet", "data": {"host": "127.0.0.1", "port": "0"}}, "wait": false, "telnet": true}}`, "\xff\xf3"},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, 0)
			gate, n := g.held()
			g.writing(gate, n)
			k, other := g.talk(), g.talk()
			backend := test.backend
			if name == "unix" {
				backend = fmt.Sprintf(backend, filepath.Join(t.TempDir(), "m"))
			}
			term := k.terminal(t, backend)

			term.write("stop\r")
			g.halted()
			term.write("info status\rinfo name\r") // kept
			if got := other.ask(`{"execute": "query-name"}`); got != `{"return": {}}` {
				t.Error(got)
			}
			term.write(test.key)
			term.until("VM status: running\r\n(qemu) ") // again
			term.until("info name\x1b[K\r\n(qemu) ")
			if shown := term.shown.String(); strings.Count(shown, "Error") != 1 || !strings.Contains(shown, "Error: The command was cancelled\r\n(qemu) ") {
				t.Errorf("%q", shown)
			}

			term.write("stop" + test.key) // at the prompt
			term.until("stop\x1b[K^C\r\n(qemu) ")
			term.write("stop\r" + test.key + "info status\r") // before it has begun
			term.until("VM status: running\r\n(qemu) ")
			if shown := term.shown.String(); !strings.Contains(shown, givenUp) {
				t.Errorf("%q", shown)
			}
			term.write(test.key) // nothing to give up
			term.until("^C\r\n(qemu) ")

			g.m.Locked("release", gate.Release)
			term.write("stop\rinfo status\r")
			term.until("VM status: paused\r\n(qemu) ")
			if got := other.ask(`{"execute": "query-name"}`); got != `{"return": {}}` {
				t.Error(got)
			}
		})
	}
}

// heldDrive is guest.held for a drive, "d".
func (g *guest) heldDrive() (gate *block.Gate, n *block.Node) {
	g.Helper()
	gate = new(block.Gate)
	g.m.Locked("drive", func() {
		b, err := g.m.Blocks.AddDrive(nil, block.Drive{ID: "d", Medium: block.Options{
			Driver: "slow", NodeName: "s", Gate: gate, File: &block.Options{Driver: "memory", Size: 512},
		}})
		if err != nil {
			g.Fatal(err)
		}
		n = b.Node()
		gate.Hold()
	})
	return gate, n
}

// TestInterruptedCommands: what each command says that is given up.
func TestInterruptedCommands(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	nothing := func(*guest) func() { return func() {} }
	stopping := (*guest).stopping
	drive := func(g *guest) func() {
		gate, n := g.heldDrive()
		g.m.Loop.Main.Spawn("write", func(co *coro.Co) { _ = n.WriteAt(co, make([]byte, 512), 0) })
		g.atGate(gate, 1)
		return func() { g.m.Locked("release", gate.Release) }
	}
	for _, test := range []struct {
		line string
		hold func(g *guest) (release func()) // has the command wait
	}{
		{"block_resize d 2", drive},
		{"change d null-co:// raw", drive},
		{"eject d", drive},
		{"drive_del d", drive},
		{"device_add virtio-blk-pci,drive=none,bus=rp0", (*guest).block},
		{"cont", stopping},
		{"stop", stopping},
		{"system_reset", stopping},
		{"info registers", stopping},
		{"info mem", stopping},
		{"print $pc", stopping},
		{"x /1 0x80000000", stopping},
		{"gva2gpa 0x80000000", stopping},
		{`memsave 0x80000000 8 "` + pipe + `x"`, stopping},
		{`pmemsave 0 8 "` + pipe + `"`, nothing},
		{"dump-guest-memory " + pipe, nothing},
		{"chardev-add socket,id=c,server=on,path=" + pipe + "c", nothing},
	} {
		t.Run(test.line, func(t *testing.T) {
			g := start(t, 1)
			g.con.await(t, "ready")
			release := test.hold(g)
			k := g.talk()
			term := k.terminal(t, `{"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": "`+pipe+`m"}}, "wait": false}}`)
			term.write(test.line + "\r")
			term.until(test.line + "\x1b[K\r\n")
			k.terminalWaits()
			term.write(ctrlC)
			term.until("(qemu) ")
			if shown := term.shown.String(); shown != givenUp[2:] {
				t.Errorf("%q", shown)
			}
			release()
			term.write("stop\rcont\rinfo status\r")
			term.until("VM status: running\r\n(qemu) ")
		})
	}
}

// TestPastInterrupting: a command that cannot be undone any more comes to its end,
// and says nothing of Ctrl-C.
func TestPastInterrupting(t *testing.T) {
	g := start(t, 0)
	gate, n := g.heldDrive()
	k := g.talk()
	term := k.terminal(t, `{"type": "pty", "data": {}}`)
	term.write("block_resize d 1\r")
	g.atGate(gate, 1)
	term.write(ctrlC + "info status\r")
	if got := k.ask(`{"execute": "query-name"}`); got != `{"return": {}}` {
		t.Error(got)
	}
	g.m.Locked("release", gate.Release)
	term.until("VM status: running\r\n(qemu) ")
	if shown := term.shown.String(); strings.Contains(shown, "Error") {
		t.Errorf("%q", shown)
	}
	if got := n.Length(); got != 1<<20 {
		t.Errorf("%d bytes", got)
	}
}

// TestScriptBehindWait: the lines behind a command that waits are run, also if their
// writer hangs up meanwhile, and however many they are.
func TestScriptBehindWait(t *testing.T) {
	g := start(t, 0)
	gate, n := g.held()
	g.writing(gate, n)
	k := g.talk()
	term := k.terminal(t, `{"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": "`+filepath.Join(t.TempDir(), "m")+`"}}, "wait": false}}`)
	term.write("stop\r")
	g.halted()
	var script strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&script, "print %d\n", i)
	}
	written := make(chan error, 1)
	go func() {
		_, err := term.conn.Write([]byte(script.String() + "object_add iothread,id=last\n"))
		if c, ok := term.conn.(*net.UnixConn); ok && err == nil {
			err = c.CloseWrite()
		}
		written <- err
	}()
	g.m.Locked("release", gate.Release)
	term.until("\r\n0x3e7\r\n(qemu) ")
	if err := <-written; err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(k.ask(`{"execute": "query-iothreads"}`), `"id": "last"`); {
		if time.Now().After(deadline) {
			t.Fatal("the last line was not run")
		}
	}
}
