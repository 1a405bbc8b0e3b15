package monitor_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// TestChardevAddWaits: a server that waits for its client holds up its own
// client only, and ends in every way that a command may.
func TestChardevAddWaits(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 0)
	other := g.qmp(ctx)
	path := filepath.Join(t.TempDir(), "s")
	args, err := qobject.ParseJSON(`{"id": "c", "backend": {"type": "socket", "data": {"addr": {"type": "unix", "data": {"path": "` + path + `"}}}}}`)
	if err != nil {
		t.Fatal(err)
	}
	for _, way := range []struct {
		name string
		end  func(hangUp func()) error
		want string // in the error; "" for none
	}{
		{"its peer comes", func(func()) error {
			for { // the file is there a moment before it listens
				_, err := net.Dial("unix", path)
				if !errors.Is(err, syscall.ECONNREFUSED) || ctx.Err() != nil {
					return err
				}
			}
		}, ""},
		{"it is removed", func(func()) error {
			return other.Execute(ctx, "chardev-remove", qobject.Members("id", "c"), nil)
		}, "Failed to add chardev 'c': character device is closed"},
		{"its client goes", func(hangUp func()) error { hangUp(); return nil }, "closed"},
	} {
		c := g.qmp(ctx)
		done := make(chan error, 1)
		go func() { done <- c.Execute(ctx, "chardev-add", args, nil) }()
		for deadline := time.Now().Add(30 * time.Second); ; {
			if _, err := os.Stat(path); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: there is no socket", way.name)
			}
			human(t, ctx, other, "info status") // nobody else waits
		}
		if err := way.end(func() { c.Close() }); err != nil {
			t.Fatalf("%s: %v", way.name, err)
		}
		if err := <-done; way.want == "" && err != nil || way.want != "" && (err == nil || !strings.Contains(err.Error(), way.want)) {
			t.Errorf("%s: %v", way.name, err)
		}
		if way.want == "" {
			if got := human(t, ctx, other, "info chardev"); got != "c: filename=unix:"+path+",server=on\n" {
				t.Errorf("%s: %q", way.name, got)
			}
			if got := human(t, ctx, other, "chardev-remove c"); got != "" {
				t.Errorf("%s: %s", way.name, got)
			}
			continue
		}
		for human(t, ctx, other, "info chardev") != "" {
			if ctx.Err() != nil {
				t.Fatalf("%s: the device stays", way.name)
			}
		}
	}
}
