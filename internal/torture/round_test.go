package torture

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

const (
	workers     = 3  // clients that plug and unplug at once
	sharedPorts = 2  // ports that all of them use
	roundLength = 25 // sequences in the life of one machine
)

// sharedIDs are the devices that any worker plugs and unplugs. It never
// changes.
var sharedIDs = []string{"s0", "s1"}

// TestSequences runs random sequences of plugs, unplugs, plugs that fail,
// disconnects, stops and resets, of several clients at once, against machines
// that live for a round of them each.
func TestSequences(t *testing.T) {
	left, seed := sequences(), rand.Uint64()
	if *flagSeed != 0 {
		seed, left = *flagSeed, min(left, roundLength)
	}
	files := 0 // after the first round: the runtime opens some for itself
	for ; left > 0; left -= roundLength {
		n := min(left, roundLength)
		ok := t.Run("round", func(t *testing.T) { playRound(t, seed, n) })
		if !ok {
			t.Fatalf("replay with: go test -run TestSequences ./internal/torture -torture.seed=%d -torture.sequences=%d", seed, n)
		}
		seed++
		if files == 0 {
			files = openFiles()
		}
	}
	if now := openFiles(); now > files {
		t.Errorf("%d open files after all, %d before", now, files)
	}
}

// round is the life of one machine.
type round struct {
	*rig
	observer *qmp.Client // connected all the time
	quits    bool        // a worker ends the machine half-way
	next     atomic.Int64
	length   int
	seed     uint64
	calm     []string // threads when nobody else is connected

	mu       sync.Mutex
	plugged  map[string]int // how often a device was plugged, by id
	strays   []string       // ids that clients who left may have plugged
	failures []error
}

func playRound(t *testing.T, seed uint64, length int) {
	var flags []string
	for i := range workers + sharedPorts {
		flags = append(flags, "-device", fmt.Sprintf("pcie-root-port,id=rp%d,chassis=%d", i, i+1))
	}
	rnd := rand.New(rand.NewPCG(seed, 1))
	r := &round{rig: newRig(t, flags...), length: length, seed: seed, quits: rnd.IntN(3) == 0, plugged: map[string]int{}}
	r.observer = r.client()
	all := make([]*worker, workers)
	for i := range all {
		all[i] = r.newWorker(i)
	}
	r.calm = r.connections()
	var running sync.WaitGroup
	for _, w := range all {
		running.Go(func() { r.fail(w.run()) })
	}
	ended := make(chan struct{})
	go func() { running.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-r.vm.Machine.ShutdownRequested(): // what the program does then
		r.close()
		<-ended
	case <-r.ctx.Done():
		r.check(r.ctx.Err())
	}
	r.check(errors.Join(r.failures...))
	r.judgeGuest()
	if !r.quits {
		r.settle()
		r.audit()
	}
	r.close()
	for _, w := range all {
		r.verify(w.image)
	}
}

func (r *round) fail(err error) {
	if err == nil || r.quits && errors.Is(err, qmp.ErrClosed) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, err)
}

// connections lists the threads that belong to clients.
func (r *round) connections() []string {
	return slices.DeleteFunc(r.vm.Machine.World.Live(), func(name string) bool {
		return !strings.Contains(name, "reader") && !strings.Contains(name, "writer") && !strings.Contains(name, "compat_monitor")
	})
}

// judgeGuest looks whether something went wrong in the guest.
func (r *round) judgeGuest() {
	r.guest.mu.Lock()
	defer r.guest.mu.Unlock()
	if len(r.guest.faults) > 0 {
		r.Errorf("the guest met with:\n%s\nit said last:\n%s\nthe last events:\n%s",
			strings.Join(r.guest.faults, "\n"), strings.Join(r.guest.tail, "\n"), r.story())
	}
	if len(r.guest.strange) > 0 {
		r.Errorf("the guest said:\n%s", strings.Join(r.guest.strange, "\n"))
	}
}

// story is the last events, for failures.
func (r *round) story() string {
	events, _, err := r.observer.Events().Since(0)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, e := range events[max(0, len(events)-40):] {
		fmt.Fprintf(&b, "%d.%06d %s", e.Time.Seconds, e.Time.Microseconds, e.Name)
		if e.Data != nil {
			b.WriteString(" " + qobject.Encode(e.Data))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// settle waits until the clients that left are gone and takes away whatever
// is still plugged.
func (r *round) settle() {
	for !slices.Equal(r.connections(), r.calm) {
		if err := r.observer.Execute(r.ctx, "query-status", nil, nil); err != nil {
			r.check(fmt.Errorf("waiting for clients to be gone: have %q, want %q: %w", r.connections(), r.calm, err))
		}
	}
	for _, id := range append(slices.Clone(sharedIDs), r.strays...) {
		if r.exists(id) {
			r.check(remove(r.ctx, r.observer, r.last(id), id))
		}
	}
}

// last is the place in the observer's events behind the last end of a device.
func (r *round) last(id string) qmp.Cursor {
	events, _, err := r.observer.Events().Since(0)
	r.check(err)
	var at qmp.Cursor
	for _, e := range events {
		if deleted(id)(e) {
			at = e.Next
		}
	}
	return at
}

func (r *round) exists(id string) bool {
	found := false
	r.vm.Machine.Locked("torture", func() {
		_, err := r.vm.Machine.Devices.Find(id)
		found = err == nil
	})
	return found
}

// audit looks whether everything that was ever plugged is gone and free.
func (r *round) audit() {
	r.check(r.observer.Execute(r.ctx, "query-status", nil, nil)) // all events before it have come
	events, _, err := r.observer.Events().Since(0)
	r.check(err)
	gone := map[string]int{}
	for _, e := range events {
		if id, ok := e.Data.Get("device"); ok && e.Name == "DEVICE_DELETED" {
			gone[id.(string)]++
		}
	}
	for id, n := range r.plugged {
		if gone[id] != n {
			r.Errorf("%s was plugged %d times and ended %d times", id, n, gone[id])
		}
	}
	for _, id := range r.strays {
		if gone[id] > 1 {
			r.Errorf("%s, plugged once at most, ended %d times", id, gone[id])
		}
	}
	r.auditTree(workers + sharedPorts)
	r.vm.Machine.Locked("torture", func() {
		for _, b := range r.vm.Machine.Blocks.Backends() {
			r.Errorf("left in the block graph: %s", b.Path())
		}
	})
	for i := range workers {
		r.check(r.observer.Execute(r.ctx, "blockdev-del", qobject.Members("node-name", fmt.Sprintf("n%d", i)), nil))
	}
	r.check(r.guest.until(r.ctx, "empty slots", func() bool {
		for _, step := range r.guest.ports {
			if step != demo.EventRemoved {
				return false
			}
		}
		return true
	}))
}
