package monitor_test

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// A disk without space stops the machine; when there is space again and the
// machine goes on, the guest's write succeeds.
func TestFullDiskStopsTheMachine(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 1)
	c := g.qmp(ctx)
	gate := new(block.Gate)
	g.m.Locked("drive", func() {
		_, err := g.m.Blocks.Add(nil, block.Options{Driver: "slow", NodeName: "s", Gate: gate, File: &block.Options{Driver: "memory", Size: 1 << 20}})
		if err != nil {
			t.Fatal(err)
		}
	})
	g.con.await(t, "ready")
	cursor := c.Events().Cursor()
	g.m.Locked("full", func() { gate.Err = syscall.ENOSPC })
	if _, fail := ask(ctx, t, c, "device_add", `{"driver":"virtio-blk-pci","id":"disk","drive":"s","bus":"rp0","rerror":"stop"}`); fail != "" {
		t.Fatal(fail)
	}
	event := func(name string) qmp.Received {
		e, err := c.WaitEvent(ctx, cursor, func(e qmp.Received) bool { return e.Name == name })
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	data := string(qobject.Append(nil, event("BLOCK_IO_ERROR").Data))
	for _, want := range []string{`"qom-path": "/machine/peripheral/disk/virtio-backend"`, `"device": ""`, `"node-name": "s"`, `"action": "stop"`, `"nospace": true`, `"reason": "No space left on device"`} {
		if !strings.Contains(data, want) {
			t.Errorf("the event has no %s: %s", want, data)
		}
	}
	event("STOP")
	for _, x := range []struct{ command, want string }{
		{"query-status", `{"status": "io-error", "running": false}`},
		{"query-block", `"io-status": "nospace"`},
	} {
		answer, fail := ask(ctx, t, c, x.command, `{}`)
		if got := string(qobject.Append(nil, answer)); !strings.Contains(got, x.want) {
			t.Errorf("%s: %s %s, want %s", x.command, got, fail, x.want)
		}
	}
	if text, _ := ask(ctx, t, c, "human-monitor-command", `{"command-line":"info block"}`); !strings.Contains(text.(string), "    I/O status:       nospace\r\n") {
		t.Errorf("%s", text)
	}
	g.m.Locked("space", func() { gate.Err = nil })
	if _, fail := ask(ctx, t, c, "cont", `{}`); fail != "" {
		t.Fatal(fail)
	}
	event("RESUME")
	g.con.await(t, "write-verify port=00:01.0 slot=0 plug=1 ")
	answer, _ := ask(ctx, t, c, "query-block", `{}`)
	if got := string(qobject.Append(nil, answer)); !strings.Contains(got, `"io-status": "ok"`) {
		t.Errorf("query-block: %s", got)
	}
}

// A machine that a failing disk has stopped can be reset, and the disk unplugged.
func TestResetWhileADiskFails(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 1)
	c := g.qmp(ctx)
	gate := &block.Gate{Err: syscall.EIO}
	g.m.Locked("drive", func() {
		_, err := g.m.Blocks.Add(nil, block.Options{Driver: "slow", NodeName: "s", Gate: gate, File: &block.Options{Driver: "memory", Size: 1 << 20}})
		if err != nil {
			t.Fatal(err)
		}
	})
	g.con.await(t, "ready")
	cursor := c.Events().Cursor()
	wait := func(name string) {
		t.Helper()
		if _, err := c.WaitEvent(ctx, cursor, func(e qmp.Received) bool { return e.Name == name }); err != nil {
			t.Fatal(err)
		}
	}
	do := func(command, args string) {
		t.Helper()
		if _, fail := ask(ctx, t, c, command, args); fail != "" {
			t.Fatal(command, fail)
		}
	}
	do("device_add", `{"driver":"virtio-blk-pci","id":"disk","drive":"s","bus":"rp0","rerror":"stop","werror":"stop"}`)
	wait("STOP")
	do("system_reset", `{}`)
	g.m.Locked("mended", func() { gate.Err = nil }) // or the guest stops again before it lets the disk go
	do("device_del", `{"id":"disk"}`)
	do("cont", `{}`)
	wait("DEVICE_DELETED")
	do("blockdev-del", `{"node-name":"s"}`)
}
