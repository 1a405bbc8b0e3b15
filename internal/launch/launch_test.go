package launch_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/launch"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// The command line of the acceptance run: what it serves on its socket is a
// machine whose guest talks to its log.
func TestServesQMPOnAUnixSocket(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	sock, log := filepath.Join(dir, "S"), filepath.Join(dir, "log")
	vm, err := launch.New([]string{
		"-M", "virt", "-nodefaults", "-display", "none", "-smp", "2", "-m", "128", "-kernel", "builtin:demo",
		"-serial", "file:" + log, "-device", "pcie-root-port,id=rp0,chassis=1",
		"-blockdev", "driver=null-co,node-name=n0,read-zeroes=on",
		"-qmp", "unix:" + sock + ",server=on,wait=off", "-name", "guest0",
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
	var name, status *qobject.Dict
	if err := c.Execute(ctx, "query-name", nil, &name); err != nil || qobject.Encode(name) != `{"name": "guest0"}` {
		t.Errorf("query-name: %v %v", qobject.Encode(name), err)
	}
	if err := c.Execute(ctx, "query-status", nil, &status); err != nil || qobject.Encode(status) != `{"status": "running", "running": true}` {
		t.Errorf("query-status: %v %v", qobject.Encode(status), err)
	}
	for !said(t, log, "ready") { // paced by the monitor
		if err := c.Execute(ctx, "query-status", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Execute(ctx, "device_add", qobject.Members("driver", "virtio-blk-pci", "id", "d0", "drive", "n0", "bus", "rp0"), nil); err != nil {
		t.Fatal(err)
	}
	for !said(t, log, "write-verify") {
		if err := c.Execute(ctx, "query-status", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	cursor := c.Events().Cursor()
	for { // until the guest has it; while it brings the disk up it is "busy"
		err := c.Execute(ctx, "device_del", qobject.Members("id", "d0"), nil)
		if err == nil {
			break
		}
		var e *qerr.Error
		if !errors.As(err, &e) || e.Desc != "Hot-unplug failed: guest is busy (power indicator blinking)" {
			t.Fatal(err)
		}
	}
	if _, err := c.WaitEvent(ctx, cursor, func(r qmp.Received) bool { return r.Name == "DEVICE_DELETED" && r.Data.Has("device") }); err != nil {
		t.Fatal(err)
	}
	for !said(t, log, "removed") { // a moment later
		if err := c.Execute(ctx, "query-status", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Execute(ctx, "quit", nil, nil); err != nil {
		t.Errorf("quit: %v", err)
	}
	<-vm.Machine.ShutdownRequested()
	vm.Close()
	if live := vm.Machine.World.Live(); len(live) > 0 {
		t.Errorf("threads left: %v", live)
	}
	if _, err := os.Stat(sock); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

// said reports whether the guest's log has a text.
func said(t *testing.T, log, text string) bool {
	t.Helper()
	all, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(all), text)
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-foo", "-foo: invalid option"},
		{"-device", "-device: requires an argument"},
		{"-netdev user", "-netdev: backplane does not have this option of QEMU's"},
		{"-M pc", `-M pc: unsupported machine type: "pc"`},
		{"-M virt,foo=1", "-M virt,foo=1: Property 'virt-machine.foo' not found"},
		{"-accel kvm", "-accel kvm: invalid accelerator kvm"},
		{"-cpu max", "-cpu max: unable to find CPU model 'max'"},
		{"-smp 0", "-smp 0: Invalid CPU topology: CPU topology parameters must be greater than zero"},
		{"-object nope,id=a", "-object nope,id=a: Parameter 'qom-type' does not accept value 'nope'"},
		{"-object rng-random,id=r,filename=/nonesuch", "-object rng-random,id=r,filename=/nonesuch: Could not open '/nonesuch': No such file or directory"},
		{"-machine virt,memory-backend=m", "Memory backend 'm' not found"},
		{"-action reboot=never", "-action reboot=never: Parameter 'reboot' does not accept value 'never'"},
		{"-uuid x", "-uuid x: failed to parse UUID string: wrong format"},
		{"-display gtk", "-display gtk: this build has no display; use -display none"},
		{"-kernel /nonesuch", "could not load kernel '/nonesuch'"},
		{"-kernel /dev/null", "could not load kernel '/dev/null'"},
		{"-kernel builtin:x", "could not load kernel 'builtin:x'"},
		{"-device nope", "-device nope: 'nope' is not a valid device model name"},
		{"-device virtio-blk-pci,drive=x", "-device virtio-blk-pci,drive=x: Property 'virtio-blk-device.drive' can't find value 'x'"},
		{"-blockdev driver=nope,node-name=a", "-blockdev driver=nope,node-name=a: Parameter 'driver' does not accept value 'nope'"},
		{"-blockdev driver=file,node-name=a,filename=/nonesuch", "-blockdev driver=file,node-name=a,filename=/nonesuch: Could not open '/nonesuch': No such file or directory"},
		{"-drive file=doc.go,format=qcow2,if=none,id=a", "-drive file=doc.go,format=qcow2,if=none,id=a: Image is not in qcow2 format"},
		{"-drive file=doc.go,format=raw,if=none,id=a,throttling.iops-total=abc", "-drive file=doc.go,format=raw,if=none,id=a,throttling.iops-total=abc: Parameter 'throttling.iops-total' expects a number"},
		{"-drive file=doc.go,format=raw,if=none,id=a,bps=1k", "-drive file=doc.go,format=raw,if=none,id=a,bps=1k: Parameter 'throttling.bps-total' expects a number"},
		{"-drive file=doc.go,format=raw,if=none,id=a,throttling.iops-total=-1", "-drive file=doc.go,format=raw,if=none,id=a,throttling.iops-total=-1: bps/iops/max values must be within [0, 1000000000000000]"},
		{"-drive file=doc.go,format=raw,if=none,id=a,throttling.bps-total=10,throttling.bps-read=5", "-drive file=doc.go,format=raw,if=none,id=a,throttling.bps-total=10,throttling.bps-read=5: bps/iops/max total values and read/write values cannot be used at the same time"},
		{"-drive file=doc.go,format=raw,if=none,id=a,throttling.iops-size=5", "-drive file=doc.go,format=raw,if=none,id=a,throttling.iops-size=5: iops size requires an iops value to be set"},
		{"-drive file=doc.go,format=raw,if=none,id=a,throttling.bps-total=10,bps=5", "-drive file=doc.go,format=raw,if=none,id=a,throttling.bps-total=10,bps=5: 'throttling.bps-total' and its alias 'bps' can't be used at the same time"},
		{"-drive file=doc.go,format=raw,if=none,id=a,werror=bogus", "-drive file=doc.go,format=raw,if=none,id=a,werror=bogus: 'bogus' invalid write error action"},
		{"-drive file=doc.go,format=raw,if=none,id=a,rerror=enospc", "-drive file=doc.go,format=raw,if=none,id=a,rerror=enospc: 'enospc' invalid read error action"},
		{"-drive file=/nonesuch,if=none,id=a", "-drive file=/nonesuch,if=none,id=a: Could not open '/nonesuch': No such file or directory"},
		{"-mon chardev=x,mode=control", `-mon chardev=x,mode=control: chardev "x" not found`},
		{"-qmp unix:/nonesuch/x,server=on,wait=off", "-qmp unix:/nonesuch/x,server=on,wait=off: Failed to bind socket to /nonesuch/x: No such file or directory"},
		{"-serial null -serial null", "-serial null: machine 'virt' has one serial port"},
		{"-chardev null,id=a -chardev null,id=a", "-chardev null,id=a: Chardev with id 'a' already exists"},
		{"-x-dispatch", "-x-dispatch: requires an argument"},
		{"-x-dispatch best", "-x-dispatch best: Parameter 'x-dispatch' does not accept value 'best'"},
		{"-x-dispatch Ours", "-x-dispatch Ours: Parameter 'x-dispatch' does not accept value 'Ours'"},
		{"disk.img", "disk.img: a disk image as an argument"},
	} {
		vm, err := launch.New(strings.Fields(c.args), launch.Options{})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		}
		if vm != nil {
			t.Errorf("%s: a machine came with the error", c.args)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"-help", "usage: backplane -M virt"},
		{"-help", "-x-dispatch POLICY"},
		{"-version", "backplane version " + launch.Version},
		{"-M help", "virt                 RISC-V VirtIO board"},
		{"-accel help", "rv64"},
		{"-device help", `name "virtio-blk-pci", bus PCI, alias "virtio-blk"`},
		{"-device virtio-rng-pci,help", "virtio-rng-pci options:"},
	} {
		_, err := launch.New(strings.Fields(c.args), launch.Options{})
		var h *launch.Help
		if !errors.As(err, &h) || !strings.Contains(h.Text, c.want) {
			t.Errorf("%s: %v, want %q", c.args, err, c.want)
		}
	}
}

// -x-dispatch reaches the monitors, and without it they are as they should be.
func TestDispatchPolicy(t *testing.T) {
	for _, c := range []struct {
		args string
		main bool // whether jobs begin in the main context, as with all policies but ours
	}{
		{"", false},
		{"-x-dispatch ours", false},
		{"-x-dispatch nested", true},
		{"-x-dispatch rfc", true},
		{"-x-dispatch split", true},
		{"-x-dispatch iohandler", true},
		{"-x-dispatch nested -x-dispatch ours", false},
	} {
		vm, err := launch.New(strings.Fields("-S "+c.args), launch.Options{})
		if err != nil {
			t.Errorf("%q: %v", c.args, err)
			continue
		}
		if got := vm.Monitors.JobContext() == vm.Machine.Loop.Main; got != c.main {
			t.Errorf("%q: jobs begin in the main context: %v, want %v", c.args, got, c.main)
		}
		vm.Close()
	}
}
