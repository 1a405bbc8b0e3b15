// Package machine is what every machine has, whatever its board: threads and
// clocks, the big lock, RCU, the main loop, memory map, block graph, object
// and device trees, CPUs, and the run state with its transitions.
//
// A board (internal/machine/virt) makes a [Machine] with [New], puts devices
// and CPUs into it under the BQL, and calls [Machine.Start].
//
// # Threads
//
// The main loop ("main"), one thread a CPU ("CPU 0/TCG", ...), the RCU
// reclaimer ("call_rcu") and the workers of the I/O pool. All are started
// through the machine's sched.World and have ended when Close returns.
//
// # Rules
//
// Devices, QOM, the block graph and the run state change under the BQL. Run
// state changes that wait for CPUs are coroutines of the main context
// ([Machine.Stop], [Machine.Reset]): nothing is dropped, and nobody is kept
// waiting who need not be. Fields of Machine are set by New and immutable.
package machine

import (
	"errors"
	"sync/atomic"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/internal/trace"
	"github.com/backplane-vm/backplane/rcu"
)

// PoolWorkers is how many blocking operations of the host run at once, QEMU's
// thread-pool-max.
const PoolWorkers = 64

// Config says what New needs to know.
type Config struct {
	Name string // -name; "" for none
	UUID string // -uuid; "" for none

	// World is where threads and clocks come from; nil means a real one.
	World *sched.World
	// Registry holds the classes of devices the machine can have.
	Registry *qdev.Registry
	// Refuse, if set and it returns an error, makes device_add and device_del
	// fail; see qdev.Config.
	Refuse func(command string) error
	// Object is what stands at /machine in the object tree; nil means a
	// container.
	Object *qom.Object
	// Warn takes messages for whoever runs the machine; nil drops them. It
	// may be called from any thread and must not block for long.
	Warn func(text string)
}

// A Machine is one virtual machine. Its exported fields are immutable after
// New, Board after Start.
type Machine struct {
	Config
	World    *sched.World
	BQL      *bql.Lock
	RCU      *rcu.Domain
	Loop     *aio.MainLoop
	Realtime *aio.Clock // always runs
	Virtual  *aio.Clock // stands still while the guest does
	Pool     *aio.Pool
	Blocks   *block.Graph
	Log      *trace.Log       // what is switched on of its insides
	Files    *descriptor.Sets // what stands behind /dev/fdset/N
	Map      *mem.Map
	Memory   *mem.Region // the root of system memory
	System   *mem.AddressSpace
	QOM      *qom.Tree
	Devices  *qdev.Tree
	Board    Board // set by the board before Start

	cpus      []*CPU // immutable once started
	observers []func(Event)
	resets    []func()

	stateLock coro.Mutex // held across a change of run state
	failing   bool       // a disk's failure is about to stop the machine
	state     RunState   // BQL, as the next
	ending    bool       // for good
	actions   Actions
	reachable atomic.Bool
	shutdown  chan struct{} // closed once shutdown has been asked for
	cause     ShutdownCause // BQL, as the next
	exitCode  int
	main      *sched.Thread // set by Start
}

// New returns a machine without devices or CPUs, in state prelaunch. Until
// [Machine.Start] it is the caller's alone. [Machine.Close] gives back what it
// holds.
func New(c Config) *Machine {
	if c.Warn == nil {
		c.Warn = func(string) {}
	}
	w := c.World
	if w == nil {
		w = sched.NewWorld()
	}
	m := &Machine{Config: c, World: w, BQL: bql.New(w), state: Prelaunch, actions: defaultActions(), shutdown: make(chan struct{})}
	m.Log = trace.New(warnWriter{c.Warn})
	m.RCU = rcu.New(rcu.Options{World: w, Around: func(t *sched.Thread, batch func()) {
		m.BQL.Lock(t, "call_rcu")
		defer m.BQL.Unlock(t)
		batch()
	}})
	m.Loop = aio.NewMainLoop(w, m.BQL)
	m.Realtime, m.Virtual = aio.NewClock(w, true), aio.NewClock(w, false)
	m.Pool = aio.NewPool(w, PoolWorkers)
	m.Blocks = block.NewGraph(m.Loop.Main, m.Pool, m.Realtime)
	m.Blocks.OnFault(m.faulted)
	m.Blocks.OnThreshold(func(e block.Exceeded) { m.emit(WriteThreshold{e}) })
	m.Files = new(descriptor.Sets)
	m.Blocks.OpenFrom(m.Files)
	m.Locked("new", m.makeTrees)
	return m
}

// makeTrees makes the memory map, the object tree and the device tree.
func (m *Machine) makeTrees() {
	m.Map = mem.NewMap(mem.Config{BQL: m.BQL, RCU: m.RCU, Warn: m.Warn})
	m.Memory = m.Map.Container(nil, "system", mem.Whole)
	m.System = m.Map.NewAddressSpace("memory", m.Memory)
	m.QOM = qom.NewTree(m.Registry.Types)
	for _, path := range []string{"/chardevs", "/objects", "/machine", "/backend"} { // where clients look, in QEMU's order
		if path == "/machine" && m.Object != nil {
			if err := m.QOM.Root.AddChild("machine", m.Object); err != nil {
				panic("machine: " + err.Error())
			}
			m.Object.Unref() // the tree's reference stays
			continue
		}
		m.QOM.Container(path)
	}
	m.Devices = qdev.New(qdev.Config{
		Registry: m.Registry, QOM: m.QOM, RCU: m.RCU, Clock: m.Virtual.Now,
		Backends:    backends{m.Blocks},
		Refuse:      m.Refuse,
		Deleted:     func(id, path string) { m.emit(DeviceDeleted{ID: id, Path: path}) },
		UnplugError: func(id, path string) { m.emit(DeviceUnplugError{ID: id, Path: path}) },
	})
	qdev.AddRegion(m.QOM.Container("/machine/unattached"), m.Memory)
}

// Locked runs f under the BQL on a thread identity made for it, for callers
// that are no thread of the machine. It blocks until the lock is free.
func (m *Machine) Locked(who string, f func()) {
	t := m.World.Adopt(who)
	m.BQL.Lock(t, who)
	defer m.BQL.Unlock(t)
	f()
}

// ErrClosed says that a machine was shut down before it could do what was
// asked.
var ErrClosed = errors.New("machine: closed")

// Do runs f as a coroutine of the iohandler context, so in nobody's nested
// poll, and waits until it has returned, for callers that are no thread of the machine and hold no lock of
// it. It returns [ErrClosed] if the machine is closed first.
func (m *Machine) Do(name string, f func(co *coro.Co)) error {
	if !m.reachable.Load() {
		return ErrClosed
	}
	done, finished := m.World.NewParker(), false
	m.Loop.IOHandler.SpawnThen(name, func(co *coro.Co) {
		f(co)
		finished = true
	}, done.Unpark) // also of a loop that was closed meanwhile
	if done.Park(sched.Forever); !finished {
		return ErrClosed
	}
	return nil
}

// OnReset has f called under the BQL, with CPUs paused, whenever the machine
// is reset, before the devices are. It is for boards, before Start.
func (m *Machine) OnReset(f func()) { m.resets = append(m.resets, f) }

// Start lets the main loop and the CPUs' threads run. The guest executes once
// the run state says so ([Machine.Cont]).
func (m *Machine) Start() {
	m.Locked("start", func() {
		m.resetDevices()
		m.Devices.SetReady()
	})
	for _, c := range m.cpus {
		c.start()
	}
	m.main = m.World.Go("main", m.Loop.Run) // commands that came before ask for the CPUs' threads
	m.reachable.Store(true)
}

// Started tells whether Start has been done and Close not begun: all threads
// are there.
func (m *Machine) Started() bool { return m.reachable.Load() }

// Close ends the guest, takes the devices down and gives everything back. It
// blocks until all threads have ended. The caller holds no lock, is no thread
// of the machine, and closes the monitors first. Closing again does nothing.
func (m *Machine) Close() {
	m.StopCPUs()
	if m.reachable.Swap(false) {
		m.quiesce()
		m.Loop.Stop()
		m.main.Join()
	}
	m.Locked("close", func() {
		m.Loop.Close()
		m.Devices.Close()
		m.System.Close()
		m.QOM.Container("/objects").Clear()
	})
	m.Pool.Close()
	m.RCU.Close() // finalises the devices
	m.Locked("close", m.Blocks.Close)
	m.Files.Close()
	m.Map.Close()
	if err := m.Log.Close(); err != nil {
		m.Warn("log: " + err.Error())
	}
	m.World.Join() // readers and writers of connections that are closed
}

// StopCPUs ends the CPUs' threads for good and blocks until they have. The
// caller holds no lock and is no thread of the machine. Doing it again does
// nothing.
func (m *Machine) StopCPUs() {
	for _, c := range m.cpus {
		c.hart.Stop()
	}
	for _, c := range m.cpus {
		if c.thread != nil {
			c.thread.Join()
		}
	}
}

// quiesce waits until the disks are settled, while the main loop still runs.
func (m *Machine) quiesce() {
	done := m.World.NewParker()
	m.Loop.Main.Spawn("quiesce", func(co *coro.Co) {
		defer done.Unpark()
		_ = m.settleDisks(co) // nobody cancels it
	})
	done.Park(sched.Forever)
}

// settleDisks yields until no request of the block layer is in flight and what
// was written is flushed. The guest has stopped, so none is added. co is in the
// main context: a drain may wait for the flush. An error is why co was
// cancelled.
func (m *Machine) settleDisks(co *coro.Co) error {
	if err := m.Blocks.AwaitIdle(co); err != nil {
		return err
	}
	return m.Blocks.FlushAll(co)
}
