package mem

import (
	"sync/atomic"
	"testing"

	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/rcu"
)

// mortal is an owner that dies with its last reference.
type mortal struct {
	device
	dead atomic.Bool
}

func (d *mortal) Unref() {
	if d.refs--; d.refs == 0 {
		d.dead.Store(true)
	}
}

// TestReadersNeverMeetTheDead has vCPUs access a device, with and without the
// BQL, that comes and goes all the time.
func TestReadersNeverMeetTheDead(t *testing.T) {
	w := sched.NewWorld()
	lock := bql.New(w)
	dom := rcu.New(rcu.Options{World: w, Around: func(th *sched.Thread, batch func()) {
		lock.Lock(th, "rcu")
		batch()
		lock.Unlock(th)
	}})
	main := w.Adopt("main")
	lock.Lock(main, "setup")
	m := NewMap(Config{BQL: lock, RCU: dom})
	sys := m.Container(nil, "system", Whole)
	as := m.NewAddressSpace("memory", sys)
	lock.Unlock(main)

	var stop atomic.Bool
	var hits, met atomic.Int64
	vcpu := func(th *sched.Thread) {
		r := dom.Register(th.Name())
		defer r.Unregister()
		a := NewAccess(th)
		for !stop.Load() {
			r.Lock()
			for _, at := range []uint64{0x1000, 0x2000} {
				if _, res := as.Read(a, at, 4); res == OK {
					hits.Add(1)
				}
			}
			r.Unlock()
		}
	}
	threads := []*sched.Thread{w.Go("hart0", vcpu), w.Go("hart1", vcpu)}
	const rounds = 300
	for i := 0; i < rounds || hits.Load() < rounds; i++ {
		d := &mortal{device: device{refs: 1}}
		read := func(off uint64, _ uint) (uint64, Result) {
			if d.dead.Load() {
				met.Add(1)
			}
			return off, OK
		}
		lock.Lock(main, "plug")
		locked := m.IO(d, "locked", 0x100, &Ops{Read: read})
		free := m.IO(d, "lockless", 0x100, &Ops{Read: read, Lockless: true})
		m.Begin()
		sys.Add(0x1000, locked)
		sys.Add(0x2000, free)
		m.Commit()
		lock.Unlock(main)
		lock.Lock(main, "unplug")
		sys.Remove(locked)
		sys.Remove(free)
		d.Unref()
		lock.Unlock(main)
	}
	stop.Store(true)
	for _, th := range threads {
		th.Join()
	}
	dom.Close()
	m.Close()
	if met.Load() != 0 {
		t.Errorf("%d callbacks of finalised owners", met.Load())
	}
}
