package torture

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/internal/launch"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qmp"
)

// patience bounds a test's waits: only a machine that hangs exceeds it.
const patience = 90 * time.Second

// sectors is the size of a test disk.
const sectors = 1024

// rig is a running machine with the demo guest.
type rig struct {
	testing.TB
	ctx   context.Context
	vm    *launch.VM
	guest *console
	dir   string
	sock  string // the QMP socket
}

// newRig starts a machine with the flags given beyond those all have, and
// waits for the guest. The machine is closed at the end of the test at the
// latest, and has to leave nothing behind.
func newRig(t testing.TB, flags ...string) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "torture") // short: a socket's path is
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{TB: t, guest: newConsole(), dir: dir, sock: filepath.Join(dir, "qmp")}
	ctx, cancel := context.WithTimeoutCause(context.Background(), patience, fmt.Errorf("not within %v", patience))
	r.ctx = ctx
	t.Cleanup(func() { cancel(); os.RemoveAll(dir) })
	args := []string{"-M", "virt", "-nodefaults", "-display", "none", "-smp", "2", "-m", "64", "-kernel", "builtin:demo",
		"-qmp", "unix:" + r.sock + ",server=on,wait=off"}
	for _, f := range flags {
		args = append(args, strings.ReplaceAll(f, "DIR", dir))
	}
	r.vm, err = launch.New(args, launch.Options{Console: r.guest, Warn: func(s string) { t.Log(s) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	if err := r.vm.Start(); err != nil {
		t.Fatal(err)
	}
	r.check(r.guest.booted(ctx, 1))
	return r
}

// check ends the test on an error, with where everybody is if it hangs.
func (r *rig) check(err error) {
	r.Helper()
	if err == nil {
		return
	}
	stacks := ""
	if r.ctx.Err() != nil {
		buf := make([]byte, 1<<20)
		stacks = string(buf[:runtime.Stack(buf, true)])
	}
	r.Fatalf("%v\nthe guest said last:\n%s\n%s", err, r.guest, stacks)
}

// close ends the machine and looks whether it is gone.
func (r *rig) close() {
	r.Helper()
	done := make(chan struct{})
	go func() { defer close(done); r.vm.Close() }()
	select {
	case <-done:
	case <-r.ctx.Done():
		buf := make([]byte, 1<<20)
		r.Fatalf("the machine does not close:\n%s", buf[:runtime.Stack(buf, true)])
	}
	if live := r.vm.Machine.World.Live(); len(live) > 0 {
		r.Errorf("threads left: %v", live)
	}
}

// client returns a QMP client, connected in the process.
func (r *rig) client() *qmp.Client {
	r.Helper()
	ours, theirs := net.Pipe()
	r.vm.Machine.World.Go("qmp reader", func(*sched.Thread) { r.vm.Monitors.ServeQMP(theirs, false) })
	c, err := qmp.NewClient(r.ctx, ours)
	r.check(err)
	r.Cleanup(func() { c.Close() })
	return c
}

// disk makes a formatted image and returns its path.
func (r *rig) disk(name string) string {
	r.Helper()
	path := filepath.Join(r.dir, name)
	f, err := os.Create(path)
	r.check(err)
	defer f.Close()
	r.check(demo.FormatDisk(f, sectors))
	return path
}

// verify checks every sector of an image.
func (r *rig) verify(path string) {
	r.Helper()
	f, err := os.Open(path)
	r.check(err)
	defer f.Close()
	report, err := demo.VerifyDisk(f, sectors)
	if err != nil || !report.OK() {
		r.Errorf("%s: %v, %v", filepath.Base(path), report, err)
	}
}

// openFiles is how many files this process has open, 0 where one cannot tell.
func openFiles() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}
