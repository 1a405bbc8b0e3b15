package monitor_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/machine/virt"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// guest is a machine with the demo guest and monitors.
type guest struct {
	testing.TB
	m   *machine.Machine
	set *monitor.Set
	con *console
}

func start(t testing.TB, ports int) *guest { return startUnder(t, ports, monitor.Ours) }

func startUnder(t testing.TB, ports int, policy monitor.Policy) *guest {
	t.Helper()
	registry, err := virt.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	g := &guest{TB: t, con: newConsole()}
	g.m, err = virt.New(virt.Config{
		Config: machine.Config{Registry: registry, Warn: func(s string) { t.Log(s) }},
		CPUs:   2, RAM: 64 << 20, Kernel: "builtin:demo", Serial: g.con,
	})
	if err != nil {
		t.Fatal(err)
	}
	g.set, err = monitor.New(g.m, monitor.Config{Version: qmp.Version{Major: 10, Micro: 2}, Policy: policy})
	if err != nil {
		t.Fatal(err)
	}
	g.m.Locked("ports", func() {
		for i := range ports {
			args := qobject.NewDict()
			args.Set("driver", "pcie-root-port")
			args.Set("id", "rp"+string(rune('0'+i)))
			args.Set("chassis", int64(i+1))
			if _, err := g.m.Devices.Add(args, qdev.JSON); err != nil {
				t.Fatal(err)
			}
		}
	})
	g.m.Start()
	if err := g.m.Do("cont", func(co *coro.Co) { _ = g.m.Cont(co) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.set.Close()
		g.m.Close()
		if live := g.m.World.Live(); len(live) > 0 {
			t.Errorf("threads left: %v", live)
		}
	})
	return g
}

func (g *guest) qmp(ctx context.Context) *qmp.Client {
	g.Helper()
	ours, theirs := net.Pipe()
	g.m.World.Go("qmp reader", func(*sched.Thread) { g.set.ServeQMP(theirs, false) })
	c, err := qmp.NewClient(ctx, ours)
	if err != nil {
		g.Fatal(err)
	}
	g.Cleanup(func() { c.Close() })
	return c
}

func TestPlugAndUnplug(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 2)
	c := g.qmp(ctx)
	path := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.FormatDisk(f, 2048); err != nil {
		t.Fatal(err)
	}
	f.Close()
	g.con.await(t, "ready")
	do := func(cmd, args string) {
		t.Helper()
		v, err := qobject.ParseJSON(args)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Execute(ctx, cmd, v, nil); err != nil {
			t.Fatalf("%s: %v", cmd, err)
		}
	}
	for i := range 20 {
		cursor := c.Events().Cursor()
		do("blockdev-add", `{"driver":"raw","node-name":"d0","file":{"driver":"file","filename":"`+path+`"}}`)
		do("device_add", `{"driver":"virtio-blk-pci","id":"disk","drive":"d0","bus":"rp0"}`)
		g.con.await(t, fmt.Sprintf("write-verify port=00:01.0 slot=0 plug=%d ", i+1))
		do("device_del", `{"id":"disk"}`)
		_, err := c.WaitEvent(ctx, cursor, func(e qmp.Received) bool {
			id, _ := e.Data.Get("device")
			return e.Name == "DEVICE_DELETED" && id == "disk"
		})
		if err != nil {
			t.Fatalf("cycle %d: %v\n%s", i, err, g.con)
		}
		do("blockdev-del", `{"node-name":"d0"}`)
	}
}
