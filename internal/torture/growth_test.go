package torture

import (
	"runtime"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// TestNoGrowth plugs and unplugs a disk 200 times and looks for what is left:
// goroutines, open files, heap objects.
func TestNoGrowth(t *testing.T) {
	const cycles, warmUp = 200, 20
	r := newRig(t, "-device", "pcie-root-port,id=rp0,chassis=1")
	c, image := r.client(), r.disk("disk")
	var goroutines, files int
	for i := range cycles {
		if i == warmUp {
			goroutines, files = r.goroutines(), openFiles()
		}
		since := c.Events().Cursor()
		r.check(c.Execute(r.ctx, "blockdev-add", qobject.Members("driver", "raw", "node-name", "d0",
			"file", qobject.Members("driver", "file", "filename", image)), nil))
		r.check(plug(r.ctx, c, "virtio-blk-pci", "disk", "drive", "d0", "bus", "rp0"))
		r.check(r.guest.up(r.ctx, "00:01.0"))
		r.check(remove(r.ctx, c, since, "disk"))
		r.check(c.Execute(r.ctx, "blockdev-del", qobject.Members("node-name", "d0"), nil))
		r.check(r.guest.until(r.ctx, "empty", func() bool { return r.guest.ports["00:01.0"] == "removed" }))
	}
	if now := r.goroutines(); now > goroutines+4 { // a leak would show in every cycle
		buf := make([]byte, 1<<20)
		t.Errorf("%d goroutines after %d cycles, %d after %d:\n%s", now, cycles, goroutines, warmUp, buf[:runtime.Stack(buf, true)])
	}
	if now := openFiles(); now > files {
		t.Errorf("%d open files after %d cycles, %d after %d", now, cycles, files, warmUp)
	}
	t.Logf("%d goroutines and %d open files after %d cycles, then %d and %d", goroutines, files, warmUp, r.goroutines(), openFiles())
	r.verify(image)
}

// goroutines counts those of the process without the workers of the I/O pool,
// which come and go with the load.
func (r *rig) goroutines() int {
	n := runtime.NumGoroutine()
	for _, name := range r.vm.Machine.World.Live() {
		if strings.HasPrefix(name, "worker") {
			n--
		}
	}
	return n
}
