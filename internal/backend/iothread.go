package backend

import (
	"math"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

const (
	iothreadType = "iothread"

	// Defaults of QEMU's.
	defaultPollMaxNS  = 32768
	defaultMaxWorkers = 64
)

// IOThreadOptions are hints to a thread. Ours sleeps when it has nothing to
// do, so that it keeps within any time to poll.
type IOThreadOptions struct {
	PollMaxNS, PollGrow, PollShrink, AIOMaxBatch int64
	PoolMin, PoolMax                             int64
}

// DefaultIOThread returns QEMU's defaults.
func DefaultIOThread() IOThreadOptions {
	return IOThreadOptions{PollMaxNS: defaultPollMaxNS, PoolMax: defaultMaxWorkers}
}

// IOThread is a context with a thread of its own.
type IOThread struct {
	qom.Object
	o      IOThreadOptions
	thread *aio.IOThread
}

// NewIOThread starts a thread called id.
func NewIOThread(w *sched.World, id string, o IOThreadOptions) (*IOThread, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if err := checkPool(&o); err != nil {
		return nil, err
	}
	t := &IOThread{o: o, thread: aio.NewIOThread(w, id)}
	t.Init(iothreadType, t, iothreadClass(), t.thread.Stop)
	return t, nil
}

// Options returns what the thread was told.
func (t *IOThread) Options() IOThreadOptions { return t.o }

// ThreadID returns a number that tells the thread from others of the machine.
func (t *IOThread) ThreadID() uint64 { return t.thread.ThreadID() }

// tunable is a number that can be set at any time.
type tunable struct {
	name string
	at   func(*IOThreadOptions) *int64
}

// tunables are in the order in which QEMU lists them.
func tunables() []tunable {
	return []tunable{
		{"thread-pool-min", func(o *IOThreadOptions) *int64 { return &o.PoolMin }},
		{"aio-max-batch", func(o *IOThreadOptions) *int64 { return &o.AIOMaxBatch }},
		{"thread-pool-max", func(o *IOThreadOptions) *int64 { return &o.PoolMax }},
		{"poll-max-ns", func(o *IOThreadOptions) *int64 { return &o.PollMaxNS }},
		{"poll-grow", func(o *IOThreadOptions) *int64 { return &o.PollGrow }},
		{"poll-shrink", func(o *IOThreadOptions) *int64 { return &o.PollShrink }},
	}
}

// Check refuses numbers out of range.
func (o IOThreadOptions) Check() error {
	for _, p := range tunables() {
		if err := checkTunable(p.name, *p.at(&o)); err != nil {
			return err
		}
	}
	return nil
}

func checkTunable(name string, v int64) error {
	if v < 0 {
		return qerr.New("%s value must be in range [0, %d]", name, int64(math.MaxInt64))
	}
	return nil
}

func checkPool(o *IOThreadOptions) error {
	if o.PoolMax == 0 || o.PoolMin > o.PoolMax || o.PoolMax > math.MaxInt32 { // QEMU counts workers in an int
		return qerr.New("bad thread-pool-min/thread-pool-max values")
	}
	return nil
}

func iothreadClass() properties {
	var list properties
	for _, p := range tunables() {
		list = append(list, &qom.Property{
			Name: p.name, Type: "int",
			Get: func(o *qom.Object) (any, error) { return *p.at(&o.Self().(*IOThread).o), nil },
			Set: func(o *qom.Object, in qom.Input) error {
				v, err := in.Int(p.name, 64)
				if err == nil {
					err = checkTunable(p.name, v)
				}
				if err != nil {
					return err
				}
				t := o.Self().(*IOThread)
				changed := t.o
				*p.at(&changed) = v
				if err := checkPool(&changed); err != nil {
					return err
				}
				t.o = changed
				return nil
			},
		})
	}
	return list
}
