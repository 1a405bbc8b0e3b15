package torture

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/guest/demo"
)

// manySlots is how many ports a machine has here: 25 devices of 8 functions.
const manySlots = 200

// TestManySlots plugs a device behind each of 200 ports, and takes them all
// away again. Times are logged for people; the benchmarks judge them.
func TestManySlots(t *testing.T) {
	var flags []string
	for i := range manySlots {
		flags = append(flags, "-device", fmt.Sprintf("pcie-root-port,id=rp%d,chassis=%d,addr=%x.%x,multifunction=on", i, i+1, 1+i/8, i%8))
	}
	r := newRig(t, flags...)
	c := r.client()
	since := c.Events().Cursor()
	plugs, unplugs := make([]time.Duration, manySlots), make([]time.Duration, manySlots)
	for i := range manySlots {
		plugs[i] = timed(func() {
			r.check(plug(r.ctx, c, "virtio-rng-pci", fmt.Sprintf("rng%d", i), "bus", fmt.Sprintf("rp%d", i)))
		})
	}
	r.check(r.guest.until(r.ctx, "all devices up", func() bool {
		return r.guest.counts[demo.EventUp] >= manySlots && r.guest.counts[demo.EventRNGRead] >= manySlots
	}))
	for i := range manySlots {
		unplugs[i] = timed(func() { r.check(remove(r.ctx, c, since, fmt.Sprintf("rng%d", i))) })
	}
	r.check(r.guest.until(r.ctx, "all slots empty", func() bool { return r.guest.counts[demo.EventRemoved] >= manySlots }))
	r.guest.mu.Lock()
	defer r.guest.mu.Unlock()
	if len(r.guest.faults)+len(r.guest.strange) > 0 || r.guest.counts[demo.EventSurprise] > 0 {
		t.Errorf("the guest met with %q and said %q; %d surprises", r.guest.faults, r.guest.strange, r.guest.counts[demo.EventSurprise])
	}
	const tenth = manySlots / 10
	for what, times := range map[string][]time.Duration{"device_add": plugs, "device_del to DEVICE_DELETED": unplugs} {
		t.Logf("%s: median of the first tenth %v, of the last %v", what, median(times[:tenth]), median(times[manySlots-tenth:]))
	}
}

func timed(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}
