package monitor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/qemutest"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// ask runs a command given as JSON and returns its answer, or its error's text.
func ask(ctx context.Context, t *testing.T, c *qmp.Client, name, args string) (answer any, fail string) {
	t.Helper()
	v, err := qobject.ParseJSON(args)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Execute(ctx, name, v, &answer)
	var e *qerr.Error
	if errors.As(err, &e) {
		return nil, e.Desc
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer, ""
}

// The words were recorded from QEMU 7.2.22, the same commands in the same
// order; that the policies do not show in them is part of the test.
func TestBlockResize(t *testing.T) {
	for _, policy := range monitor.Policies() {
		t.Run(string(policy), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			g := startUnder(t, 0, policy)
			c := g.qmp(ctx)
			image := filepath.Join(t.TempDir(), "r.img")
			if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, options := range []string{
				`{"driver":"raw","node-name":"r","file":{"driver":"file","node-name":"rf","filename":"` + image + `"}}`,
				`{"driver":"raw","node-name":"rs","size":512,"file":{"driver":"null-co"}}`,
				`{"driver":"raw","node-name":"ro","read-only":true,"file":{"driver":"null-co"}}`,
				`{"driver":"null-co","node-name":"n"}`,
			} {
				if _, fail := ask(ctx, t, c, "blockdev-add", options); fail != "" {
					t.Fatal(fail)
				}
			}
			for _, x := range []struct{ args, want string }{
				{`"size":5`, "Cannot find device='' nor node-name=''"},
				{`"node-name":"zz","size":5`, "Cannot find device='' nor node-name='zz'"},
				{`"node-name":"zz","device":"yy","size":5`, "Cannot find device='yy' nor node-name='zz'"},
				{`"node-name":"r","size":-1`, "Parameter 'size' expects a >0 size"},
				{`"node-name":"r"`, "Parameter 'size' is missing"},
				{`"node-name":"r","size":"1"`, "Invalid parameter type for 'size', expected: integer"},
				{`"node-name":"r","size":9223372036854775807`, "offset(9223372036854775807) exceeds maximum(9223372035781033984)"},
				{`"node-name":"r","size":9223372035781033984`, "Could not resize file: File too large"},
				{`"node-name":"rs","size":1024`, "Cannot resize fixed-size raw disks"},
				{`"node-name":"ro","size":1024`, "Image is read-only"},
				{`"node-name":"n","size":1024`, "Image format driver does not support resize"},
				{`"node-name":"r","size":1000`, ""},
				{`"node-name":"rf","size":1500`, ""},
			} {
				if _, fail := ask(ctx, t, c, "block_resize", "{"+x.args+"}"); fail != x.want {
					t.Errorf("%s: %q, want %q", x.args, fail, x.want)
				}
			}
			if st, err := os.Stat(image); err != nil || st.Size() != 1500 {
				t.Errorf("image: %v, %v", st.Size(), err)
			}
			if size := virtualSize(ctx, t, c, "r"); size != 1536 {
				t.Errorf("query-named-block-nodes says %d", size)
			}
			human := func(line, want string) {
				t.Helper()
				if got, _ := ask(ctx, t, c, "human-monitor-command", `{"command-line":"`+line+`"}`); got != want {
					t.Errorf("%s: %q, want %q", line, got, want)
				}
			}
			if policy == monitor.RFC { // which answers before the command has run
				return
			}
			human("block_resize zz 5", "Error: Cannot find device='zz' nor node-name=''\r\n")
		})
	}
}

func virtualSize(ctx context.Context, t *testing.T, c *qmp.Client, node string) int64 {
	t.Helper()
	nodes, fail := ask(ctx, t, c, "query-named-block-nodes", "{}")
	if fail != "" {
		t.Fatal(fail)
	}
	for _, x := range nodes.([]any) {
		d := x.(*qobject.Dict)
		if name, _ := d.Get("node-name"); name == node {
			image, _ := d.Get("image")
			size, _ := image.(*qobject.Dict).Get("virtual-size")
			return size.(int64)
		}
	}
	return -1
}

// A resize of a disk that -drive made, by its id, in HMP's units; the request
// takes a while, and a drain of the main context meanwhile waits for it.
func TestHumanBlockResizeAndDrain(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 0)
	c := g.qmp(ctx)
	gate := new(block.Gate)
	g.m.Locked("drive", func() {
		_, err := g.m.Blocks.AddDrive(nil, block.Drive{ID: "disk0", Medium: block.Options{Driver: "slow", NodeName: "s", Gate: gate,
			File: &block.Options{Driver: "memory", Size: 512}}})
		if err != nil {
			t.Fatal(err)
		}
		gate.Hold()
	})
	answer := make(chan string, 1)
	go func() {
		got, fail := ask(ctx, t, c, "human-monitor-command", `{"command-line":"block_resize disk0 2"}`)
		answer <- fmt.Sprint(got, fail)
	}()
	drained := make(chan bool, 1)
	for waiting := 0; waiting == 0; {
		g.m.Locked("look", func() { waiting = gate.Waiting() })
	}
	g.m.Loop.Main.OneShot("drain", func() {
		g.m.Loop.Main.OneShot("release", gate.Release) // runs in the drain's own poll
		g.m.Blocks.DrainAll()
		drained <- g.m.Blocks.Lookup("s").InFlight() == 0
	})
	if !<-drained {
		t.Error("drained with a request in flight")
	}
	if got := <-answer; got != "" {
		t.Errorf("answer %q", got)
	}
	if size := virtualSize(ctx, t, c, "s"); size != 2<<20 {
		t.Errorf("size %d", size)
	}
}

// stop is answered when no request of the guest's disks is in flight.
func TestStopSettlesTheDisks(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 0)
	c, other := g.qmp(ctx), g.qmp(ctx)
	gate, written := new(block.Gate), false
	g.m.Locked("drive", func() {
		n, err := g.m.Blocks.Add(nil, block.Options{Driver: "slow", NodeName: "s", Gate: gate,
			File: &block.Options{Driver: "memory", Size: 512}})
		if err != nil {
			t.Fatal(err)
		}
		gate.Hold()
		g.m.Loop.Main.Spawn("write", func(co *coro.Co) {
			if err := n.WriteAt(co, make([]byte, 512), 0); err != nil {
				t.Error(err)
			}
			written = true
		})
	})
	for waiting := 0; waiting == 0; {
		g.m.Locked("look", func() { waiting = gate.Waiting() })
	}
	answer := make(chan string, 1)
	go func() {
		_, fail := ask(ctx, t, c, "stop", "{}")
		g.m.Locked("look", func() { answer <- fmt.Sprint(fail, written) })
	}()
	for state := ""; state != "paused"; { // the guest has stopped, and everybody else is served
		v, _ := ask(ctx, t, other, "query-status", "{}")
		s, _ := v.(*qobject.Dict).Get("status")
		state = s.(string)
	}
	g.m.Locked("release", gate.Release)
	if got := <-answer; got != "true" {
		t.Errorf("stop: %q, want it written", got)
	}
}

// A guest that writes and verifies its disk, on a qcow2 image; the disk grows
// and shrinks while it is plugged in, and is good afterwards.
func TestGuestOnQcow2(t *testing.T) {
	qemutest.Need(t, "qemu-img")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	raw, image := filepath.Join(dir, "raw"), filepath.Join(dir, "image")
	f, err := os.Create(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.FormatDisk(f, 2048); err != nil {
		t.Fatal(err)
	}
	f.Close()
	qemutest.Img(t, "convert", "-f", "raw", "-O", "qcow2", raw, image)
	t.Cleanup(func() { qemutest.Img(t, "check", "-f", "qcow2", image) }) // once the machine is closed
	g := start(t, 1)
	c := g.qmp(ctx)
	do := func(name, args string) {
		t.Helper()
		if _, fail := ask(ctx, t, c, name, args); fail != "" {
			t.Fatalf("%s: %s", name, fail)
		}
	}
	g.con.await(t, "ready")
	for i := range 4 {
		cursor := c.Events().Cursor()
		do("blockdev-add", `{"driver":"qcow2","node-name":"d0","file":{"driver":"file","filename":"`+image+`"}}`)
		do("device_add", `{"driver":"virtio-blk-pci","id":"disk","drive":"d0","bus":"rp0"}`)
		do("block_resize", `{"node-name":"d0","size":8388608}`) // whatever the guest is at
		g.con.await(t, fmt.Sprintf("write-verify port=00:01.0 slot=0 plug=%d ", i+1))
		if i == 3 {
			break // the machine ends with the disk in place
		}
		do("block_resize", `{"node-name":"d0","size":2097152}`)
		do("device_del", `{"id":"disk"}`)
		_, err := c.WaitEvent(ctx, cursor, func(e qmp.Received) bool {
			id, _ := e.Data.Get("device")
			return e.Name == "DEVICE_DELETED" && id == "disk"
		})
		if err != nil {
			t.Fatalf("cycle %d: %v\n%s", i, err, g.con)
		}
		do("blockdev-del", `{"node-name":"d0"}`)
		qemutest.Img(t, "check", "-f", "qcow2", image)
	}
}

// formattedDisk is an image of the demo guest's format.
func formattedDisk(t *testing.T) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "disk")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.FormatDisk(f, 2048); err != nil {
		t.Fatal(err)
	}
	f.Close()
	return image
}

// What a guest did with its disk is counted at the disk; nodes know how far
// writes went; a drive that no device has has done nothing.
func TestBlockStats(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	image := formattedDisk(t)
	g := start(t, 1)
	c := g.qmp(ctx)
	g.m.Locked("drive", func() {
		if _, err := g.m.Blocks.AddDrive(nil, block.Drive{ID: "spare", Medium: block.Options{Driver: "null-co"}}); err != nil {
			t.Fatal(err)
		}
	})
	g.con.await(t, "ready")
	if _, fail := ask(ctx, t, c, "blockdev-add", `{"driver":"raw","node-name":"d0","file":{"driver":"file","node-name":"f0","filename":"`+image+`"}}`); fail != "" {
		t.Fatal(fail)
	}
	if _, fail := ask(ctx, t, c, "device_add", `{"driver":"virtio-blk-pci","id":"disk","drive":"d0","bus":"rp0"}`); fail != "" {
		t.Fatal(fail)
	}
	g.con.await(t, "write-verify port=00:01.0 slot=0 plug=1 ")
	stats := func(nodes bool) map[string]api.BlockStats {
		t.Helper()
		list, err := api.Client{Executor: c}.QueryBlockstats(ctx, &api.QueryBlockstatsArgs{QueryNodes: &nodes})
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]api.BlockStats{}
		for _, x := range list {
			if x.Device != nil && *x.Device != "" {
				all[*x.Device] = x
			} else {
				all[*x.NodeName] = x
			}
		}
		return all
	}
	disks := stats(false)
	d, spare := disks["d0"], disks["spare"]
	switch s := d.Stats; {
	case len(disks) != 2 || d.Qdev == nil || d.Parent == nil || *d.Parent.NodeName != "f0" || d.Parent.DriverSpecific == nil:
		t.Errorf("%+v", disks)
	case s.RdOperations == 0 || s.RdBytes < 512*s.RdOperations || s.RdTotalTimeNs == 0, s.WrOperations == 0 || s.WrBytes < 512*s.WrOperations:
		t.Errorf("%+v", s)
	case s.FailedRdOperations+s.FailedWrOperations+s.InvalidRdOperations+s.InvalidWrOperations != 0, s.IdleTimeNs == nil, !s.AccountInvalid:
		t.Errorf("%+v", s)
	case s.WrHighestOffset == 0 || s.WrHighestOffset > 2048*512 || d.Parent.Stats.WrHighestOffset != s.WrHighestOffset:
		t.Errorf("the furthest write: %d and %d", s.WrHighestOffset, d.Parent.Stats.WrHighestOffset)
	}
	if s := spare.Stats; spare.Qdev != nil || s.RdOperations != 0 || s.IdleTimeNs != nil {
		t.Errorf("%+v", spare)
	}
	if text, _ := ask(ctx, t, c, "human-monitor-command", `{"command-line":"info blockstats"}`); !strings.Contains(text.(string),
		"spare: rd_bytes=0 wr_bytes=0 rd_operations=0 wr_operations=0 flush_operations=0 wr_total_time_ns=0 "+
			"rd_total_time_ns=0 flush_total_time_ns=0 rd_merged=0 wr_merged=0 idle_time_ns=0\r\n") {
		t.Errorf("%s", text)
	}
	nodes := stats(true)
	if n, ok := nodes["d0"]; !ok || len(nodes) != 3 || n.Device != nil || n.Stats.RdOperations != 0 || n.Stats.WrHighestOffset < d.Stats.WrHighestOffset {
		t.Errorf("%+v", nodes)
	}
}

// qcow2 on the machine: made, seen, resized, given back to QEMU's tools.
func TestQcow2(t *testing.T) {
	qemutest.Need(t, "qemu-img")
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	path := filepath.Join(t.TempDir(), "a.qcow2")
	qemutest.Img(t, "create", "-f", "qcow2", path, "1M")
	g := start(t, 0)
	c := g.qmp(ctx)
	do := func(name, args, want string) (answer any) {
		t.Helper()
		answer, fail := ask(ctx, t, c, name, args)
		if fail != want {
			t.Errorf("%s %s: %q, want %q", name, args, fail, want)
		}
		return answer
	}
	add := `{"driver":"qcow2","node-name":"a","file":{"driver":"file","node-name":"af","filename":"` + path + `"}`
	do("blockdev-add", add+`,"lazy-refcounts":true}`, "Parameter 'lazy-refcounts' is not supported by this build")
	do("blockdev-add", add+`,"encrypt":{}}`, "Parameter 'encrypt' is unexpected")
	do("blockdev-add", add+`,"backing":"b"}`, "Parameter 'backing' is not supported by this build")
	do("blockdev-add", add+`,"backing":null,"l2-cache-size":1048576}`, "")
	do("block_resize", `{"node-name":"a","size":1000}`, "The new size must be a multiple of 512")
	do("block_resize", `{"node-name":"a","size":4611686018427387904}`, "Failed to grow the L1 table: File too large")
	do("block_resize", `{"node-name":"a","size":2097152}`, "")
	nodes := do("query-named-block-nodes", "{}", "").([]any)
	image, _ := nodes[0].(*qobject.Dict).Get("image")
	d := image.(*qobject.Dict)
	specific, _ := d.Get("format-specific")
	size, _ := d.Get("virtual-size")
	cluster, _ := d.Get("cluster-size")
	const want = `{"type": "qcow2", "data": {"compat": "1.1", "compression-type": "zlib", "lazy-refcounts": false, "refcount-bits": 16, "corrupt": false, "extended-l2": false}}`
	if got := qobject.Encode(specific); got != want || size != int64(2<<20) || cluster != int64(65536) {
		t.Errorf("%s, %v, %v; want %s", got, size, cluster, want)
	}
	do("blockdev-del", `{"node-name":"a"}`, "")
	qemutest.Img(t, "check", "-f", "qcow2", path)
}
