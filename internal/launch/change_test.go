package launch_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/launch"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// TestSerialPortMoves: the guest's console goes on in another file, and a
// monitor stays where it is.
func TestSerialPortMoves(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	sock, one, two := filepath.Join(dir, "S"), filepath.Join(dir, "one"), filepath.Join(dir, "two")
	vm, err := launch.New([]string{
		"-M", "virt", "-nodefaults", "-display", "none", "-kernel", "builtin:demo",
		"-serial", "file:" + one, "-qmp", "unix:" + sock + ",server=on,wait=off",
	}, launch.Options{Warn: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	defer vm.Close()
	if err := vm.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := qmp.Dial(ctx, "unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ready := func(log string) {
		t.Helper()
		for !said(t, log, "ready") {
			if err := c.Execute(ctx, "query-status", nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	change := func(id, backend string) error {
		t.Helper()
		args, err := qobject.ParseJSON(`{"id": "` + id + `", "backend": ` + backend + `}`)
		if err != nil {
			t.Fatal(err)
		}
		return c.Execute(ctx, "chardev-change", args, nil)
	}
	ready(one)
	if err := change("compat_monitor0", `{"type": "null", "data": {}}`); err == nil || err.Error() != "chardev-change: Chardev user does not support chardev hotswap" {
		t.Errorf("a monitor: %v", err)
	}
	if err := change("serial0", `{"type": "file", "data": {"out": "/nonexistent/f"}}`); err == nil {
		t.Error("a file that cannot be")
	}
	if err := change("serial0", `{"type": "file", "data": {"out": "`+two+`"}}`); err != nil {
		t.Fatal(err)
	}
	if err := c.Execute(ctx, "system_reset", nil, nil); err != nil { // the guest begins anew
		t.Fatal(err)
	}
	ready(two)
}

// TestChardevHelp: the list of backends is a help text.
func TestChardevHelp(t *testing.T) {
	_, err := launch.New([]string{"-chardev", "help"}, launch.Options{})
	h, ok := err.(*launch.Help)
	if want := "Available chardev backend types: \n  ringbuf\n  mux\n  pipe\n  hub\n  null\n  socket\n  memory\n  udp\n  file\n  serial\n  pty\n  stdio\n"; !ok || h.Text != want {
		t.Errorf("%v", err)
	}
}
