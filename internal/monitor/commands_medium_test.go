package monitor_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/qemutest"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// Media of a drive before its device, with images of QEMU's tools: what is
// written under qcow2 is there for them once the medium is out.
func TestMedia(t *testing.T) {
	qemutest.Need(t, "qemu-img")
	for _, policy := range monitor.Policies() {
		if policy == monitor.RFC { // which answers people before the command has run
			continue
		}
		t.Run(string(policy), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			dir := t.TempDir()
			raw, qcow := filepath.Join(dir, "a.img"), filepath.Join(dir, "b.qcow2")
			qemutest.Img(t, "create", "-f", "raw", raw, "1M")
			qemutest.Img(t, "create", "-f", "qcow2", qcow, "2M")
			g := startUnder(t, 0, policy)
			c := g.qmp(ctx)
			do := func(name, args, want string) {
				t.Helper()
				if _, fail := ask(ctx, t, c, name, args); fail != want {
					t.Errorf("%s %s: %q, want %q", name, args, fail, want)
				}
			}
			human := func(line, want string) {
				t.Helper()
				args := qobject.Members("command-line", line)
				if got, _ := ask(ctx, t, c, "human-monitor-command", qobject.Encode(args)); got != want {
					t.Errorf("%s: %q, want %q", line, got, want)
				}
			}
			disk := func() api.BlockInfo {
				t.Helper()
				list, err := api.Client{Executor: c}.QueryBlock(ctx)
				if err != nil || len(list) != 1 {
					t.Fatalf("%+v, %v", list, err)
				}
				return list[0]
			}
			human("drive_add 0 if=none,id=d,format=raw,file="+raw, "OK\r\n")
			if d := disk(); d.Device != "d" || !d.Removable || d.Inserted == nil || d.Inserted.File != raw {
				t.Errorf("%+v", d)
			}
			do("blockdev-change-medium", `{"device":"d","filename":"`+qcow+`","format":"qcow2"}`, "")
			if d := disk(); d.Inserted == nil || d.Inserted.Drv != "qcow2" || d.Inserted.Ro || d.Inserted.Image.VirtualSize != 2<<20 {
				t.Errorf("%+v", d.Inserted)
			}
			do("blockdev-change-medium", `{"device":"d","filename":"`+qcow+`","format":"qcow2"}`, `Failed to get "write" lock`)
			do("block_resize", `{"device":"d","size":3145728}`, "")
			do("eject", `{"device":"d"}`, "")
			if d := disk(); d.Inserted != nil || !d.Removable || d.TrayOpen != nil {
				t.Errorf("%+v", d)
			}
			qemutest.Img(t, "check", "-f", "qcow2", qcow)
			qemutest.Img(t, "resize", "-q", qcow, "4M") // it takes the lock for writing
			do("eject", `{"device":"d","force":true}`, "")
			do("block_resize", `{"device":"d","size":512}`, "Device 'd' has no medium")
			human("change d -f "+qcow+" qcow2 read-only", "")
			if d := disk(); d.Inserted == nil || !d.Inserted.Ro || d.Inserted.Image.VirtualSize != 4<<20 {
				t.Errorf("%+v", d.Inserted)
			}
			human("change d "+raw+" raw", "") // read-only stays
			if d := disk(); d.Inserted == nil || !d.Inserted.Ro || d.Inserted.File != raw {
				t.Errorf("%+v", d.Inserted)
			}
			human("change d "+raw+" raw sometimes", "Error: invalid parameter value: sometimes\r\n")
			human("eject d", "")
			human("eject e", "Error: Device 'e' not found\r\n")
			human("drive_del d", "")
			human("drive_del d", "Device 'd' not found\r\n")
		})
	}
}

// The words of what is refused, recorded from QEMU 7.2.22.
func TestMediaOfDevices(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	image := filepath.Join(t.TempDir(), "a.img")
	if err := os.WriteFile(image, make([]byte, 512), 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, 1)
	c := g.qmp(ctx)
	const id = `/machine/peripheral/v/virtio-backend`
	const fixed = "Device '" + id + "' is not removable"
	for _, x := range []struct{ command, args, fail string }{
		{"blockdev-add", `{"driver":"null-co","node-name":"n"}`, ""},
		{"blockdev-add", `{"driver":"null-co","node-name":"m"}`, ""},
		{"device_add", `{"driver":"virtio-blk-pci","id":"v","drive":"m","bus":"rp0"}`, ""},
		{"eject", `{}`, "Need exactly one of 'device' and 'id'"},
		{"eject", `{"device":"x","id":"v"}`, "Need exactly one of 'device' and 'id'"},
		{"eject", `{"device":"m"}`, "Device 'm' not found"},
		{"eject", `{"device":""}`, "Device '' not found"},
		{"eject", `{"id":"x"}`, "Device 'x' not found"},
		{"eject", `{"id":"v"}`, "Device does not have a block device backend"},
		{"eject", `{"id":"` + id + `","force":true}`, fixed},
		{"blockdev-remove-medium", `{"id":"x"}`, "Device 'x' not found"},
		{"blockdev-remove-medium", `{"id":"rp0"}`, "Device does not have a block device backend"},
		{"blockdev-remove-medium", `{"id":"` + id + `"}`, fixed},
		{"blockdev-insert-medium", `{"id":"v","node-name":"x"}`, "Device does not have a block device backend"},
		{"blockdev-insert-medium", `{"id":"` + id + `","node-name":"x"}`, "Node 'x' not found"},
		{"blockdev-insert-medium", `{"id":"` + id + `","node-name":"m"}`, "Node 'm' is already in use"},
		{"blockdev-insert-medium", `{"id":"` + id + `","node-name":"n"}`, "Device is not removable"},
		{"blockdev-change-medium", `{"filename":"x"}`, "Need exactly one of 'device' and 'id'"},
		{"blockdev-change-medium", `{"device":"x","filename":"x"}`, "Device 'x' not found"},
		{"blockdev-change-medium", `{"id":"` + id + `","filename":"/nonesuch/x"}`, "Could not open '/nonesuch/x': No such file or directory"},
		{"blockdev-change-medium", `{"id":"` + id + `","filename":"` + image + `"}`, fixed},
		{"blockdev-change-medium", `{"id":"` + id + `","filename":"nonesuch:x"}`, "Unknown protocol 'nonesuch'"},
		{"blockdev-change-medium", `{"id":"` + id + `","filename":"x","format":""}`, "Unknown driver ''"},
		{"blockdev-change-medium", `{"id":"` + id + `","filename":"x","format":"null-co"}`, "The only allowed filename for this driver is 'null-co://'"},
		{"blockdev-change-medium", `{"id":"` + id + `","filename":"x","read-only-mode":"y"}`, "Parameter 'read-only-mode' does not accept value 'y'"},
		{"blockdev-del", `{"node-name":"n"}`, ""}, // nothing has come to hold it
	} {
		if _, fail := ask(ctx, t, c, x.command, x.args); fail != x.fail {
			t.Errorf("%s %s: %q, want %q", x.command, x.args, fail, x.fail)
		}
	}
	if list, err := (api.Client{Executor: c}).QueryNamedBlockNodes(ctx, &api.QueryNamedBlockNodesArgs{}); err != nil || len(list) != 1 {
		t.Errorf("%d nodes are left, %v", len(list), err)
	}
}

// drive_add and drive_del, with QEMU's words.
func TestHumanDrives(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	image := filepath.Join(t.TempDir(), "a.img")
	if err := os.WriteFile(image, make([]byte, 512), 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, 0)
	c := g.qmp(ctx)
	for _, x := range []struct{ line, want string }{
		{"drive_add 0 if=none", "OK\n"},
		{"drive_add 0 format=raw,file=" + image, "OK\n"},
		{"drive_add 0 if=none,index=7,media=cdrom", "OK\n"},
		{"drive_add 0 if=none,index=7", "drive with bus=0, unit=7 (index=7) exists\n"},
		{"drive_add 0 if=none,unit=1", "drive with bus=0, unit=1 (index=-1) exists\n"},
		{"drive_add 0 if=none,bus=1,unit=9", "OK\n"},
		{"drive_add 0 if=none,id=none7", "Duplicate ID 'none7' for drive\n"},
		{"drive_add 0 if=none,id=1a", "Parameter 'id' expects an identifier\n" +
			"Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.\n"},
		{"drive_add 0 if=virtio,id=v", "Can't hot-add drive to type 7\n"},
		{"drive_add 0 if=virtio,id=v", "Can't hot-add drive to type 7\n"},
		{"drive_add 0 if=none,format=raw", "A block device must be specified for \"file\"\n"},
		{"drive_add 0 if=none,format=file", "The 'file' block driver requires a file name\n"},
		{"drive_add 0 if=none,format=nonesuch,file=x", "Unknown driver 'nonesuch'\n"},
		{"drive_add 0 if=none,format=raw,file=x:y", "Unknown protocol 'x'\n"},
		{"drive_add 0 if=none,discard=on", "Must specify either driver or file\n"},
		{"drive_add 0 if=none,id=c,cache=unsafe,format=raw,file.driver=file,file.filename=" + image, "OK\n"},
		{"drive_add 0 if=none,id=s,snapshot=on", "snapshot=on is not supported by this build\n"},
		{"drive_add -n 0 driver=null-co", "'node-name' needs to be specified\n"},
		{"drive_add -n 0 driver=nonesuch,node-name=q", "Unknown driver 'nonesuch'\n"},
		{"drive_add -n 0 driver=null-co,node-name=q", ""},
		{"drive_add -n 0 driver=null-co,node-name=q", "Duplicate nodes with node-name='q'\n"},
		{"drive_del q", ""},
		{"drive_del q", "Device 'q' not found\n"},
		{"info block none7", "\nnone7: [not inserted]\n    Removable device: not locked, tray closed\n"},
		{"drive_del none7", ""},
		{"drive_add 0 if=none,index=7", "OK\n"},
		{"info block c", "\nc (#block103): " + image + " (raw)\n    Removable device: not locked, tray closed\n" +
			"    Cache mode:       writeback, ignore flushes\n"},
	} {
		args := qobject.Encode(qobject.Members("command-line", x.line))
		if got, _ := ask(ctx, t, c, "human-monitor-command", args); strings.ReplaceAll(got.(string), "\r\n", "\n") != x.want {
			t.Errorf("%s: %q, want %q", x.line, got, x.want)
		}
	}
}

// A drive that is taken away under a guest: its next request fails, and all else
// goes on; its id is free when the device has gone.
func TestDriveDelUnderAGuest(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	image := formattedDisk(t)
	g := start(t, 1)
	c := g.qmp(ctx)
	do := func(name, args, want string) any {
		t.Helper()
		answer, fail := ask(ctx, t, c, name, args)
		if fail != want {
			t.Errorf("%s %s: %q, want %q", name, args, fail, want)
		}
		return answer
	}
	human := func(line, want string) {
		t.Helper()
		if got := do("human-monitor-command", `{"command-line":"`+line+`"}`, ""); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	gate := new(block.Gate)
	g.m.Locked("drive", func() {
		if _, err := g.m.Blocks.AddDrive(nil, block.Drive{ID: "d", Interface: "none", Medium: block.Options{
			Driver: "slow", Gate: gate, File: &block.Options{Driver: "file", Filename: image},
		}}); err != nil {
			t.Fatal(err)
		}
		gate.Hold()
	})
	g.con.await(t, "ready")
	do("device_add", `{"driver":"virtio-blk-pci","id":"disk","drive":"d","bus":"rp0","werror":"stop"}`, "")
	do("eject", `{"device":"d"}`, "Device 'd' is not removable")
	waiting := func() (n int) {
		g.m.Locked("gate", func() { n = gate.Waiting() })
		return n
	}
	for waiting() == 0 { // the guest reads, and waits for the disk
		do("query-status", "{}", "")
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		human("drive_del d", "")
	}()
	g.m.Locked("gate", gate.Release)
	<-gone
	g.con.await(t, "result=")
	disks, err := api.Client{Executor: c}.QueryBlock(ctx)
	if err != nil || len(disks) != 1 {
		t.Fatalf("%+v, %v", disks, err)
	}
	if d := disks[0]; d.Device != "" || d.Inserted != nil || d.Removable || d.IoStatus != nil || d.Qdev == nil {
		t.Errorf("%+v", d)
	}
	if got := do("qom-get", `{"path":"/machine/peripheral/disk","property":"drive"}`, ""); got != "" {
		t.Errorf("the drive is called %q", got)
	}
	if nodes := do("query-named-block-nodes", "{}", ""); len(nodes.([]any)) != 0 {
		t.Errorf("the image is open: %s", qobject.Encode(nodes))
	}
	const backend = `"id":"/machine/peripheral/disk/virtio-backend"`
	do("block_set_io_throttle", `{`+backend+`,"bps":1,"bps_rd":0,"bps_wr":0,"iops":0,"iops_rd":0,"iops_wr":0}`, "Device has no medium")
	do("query-status", "{}", "")
	human("drive_add 0 if=none,id=d", "Duplicate ID 'd' for drive\r\n")
	cursor := c.Events().Cursor()
	do("device_del", `{"id":"disk"}`, "")
	if _, err := c.WaitEvent(ctx, cursor, func(e qmp.Received) bool { return e.Name == "DEVICE_DELETED" }); err != nil {
		t.Fatal(err)
	}
	human("drive_add 0 if=none,id=d", "OK\r\n")
	do("device_add", `{"driver":"virtio-blk-pci","id":"disk","drive":"d","bus":"rp0"}`, "Device needs media, but drive is empty")
}
