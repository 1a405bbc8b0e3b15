// Package scenario holds the failures that the thread "qmp: make
// qmp_device_add() a coroutine" is about as programs that can be run: under
// every dispatch policy (internal/monitor), and under as many interleavings of
// their threads as one has patience for (internal/sched).
//
// Nothing in them is a toy. The monitor, its dispatcher and device_add, the
// memory map and its RCU readers, the big lock, PCI Express slots, block nodes
// and their drains are the machine's own. Only what a scenario needs in order
// to happen is made for it: threads that do what a vCPU does, and devices that
// wait in their callbacks as QEMU's pflash and data plane do.
//
// A [Lab] is one machine in one simulated World. A [Scenario] drives it from
// the World's first thread. A run that ends is fine; one that dead-locks,
// breaks a rule, or runs two threads inside one device is a [Failure] with a
// schedule that repeats it.
package scenario

import (
	"fmt"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/pci"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
	"github.com/backplane-vm/backplane/rcu"
)

// Lab is a machine without harts in a simulated World.
type Lab struct {
	World   *sched.World
	Policy  monitor.Policy
	Machine *machine.Machine
	Set     *monitor.Set
	PCI     *pci.GPEXHost
	clients []*Client
	vcpus   []*sched.Thread
	nested  string                                  // the device in whose emulation device_add ran, if it did
	screen  func(co *coro.Co, call *hmp.Call) error // HMP's eject, if a scenario has one
	extra   map[string]func()                       // ordinary commands x-test-...
	deleted map[string]int                          // ends of devices, by id
}

// Where things are in the lab's memory map.
const (
	ecamBase   = 0x30000000
	ecamSize   = 0x10000000
	mmioBase   = 0x40000000
	mmioSize   = 0x40000000
	deviceBase = 0x10000000 // scenario devices, one page each
)

// ReEntered is the kind of failure in which two threads were inside one
// device's callbacks.
const ReEntered sched.Kind = "re-entered"

// newLab builds the machine and starts its main loop. ports is the number of
// root ports rp0, rp1, ...
func newLab(w *sched.World, registry *qdev.Registry, policy monitor.Policy, ports int) *Lab {
	l := &Lab{World: w, Policy: policy}
	l.extra, l.deleted = make(map[string]func()), make(map[string]int)
	l.Machine = machine.New(machine.Config{World: w, Registry: registry, Refuse: func(string) error {
		if device := l.Machine.BQL.Emulating(); device != "" {
			l.nested = device
		}
		return nil
	}})
	l.Machine.Board = board{l}
	l.Machine.Observe(l.noteDeleted)
	var err error
	l.Set, err = monitor.New(l.Machine, monitor.Config{
		Version: qmp.Version{Major: 10, Micro: 2}, Policy: policy, Extra: l.commands(),
		ExtraHuman: hmp.Handlers[*coro.Co]{"eject": {RunCo: func(co *coro.Co, call *hmp.Call, _ *hmp.Args) error {
			return l.screen(co, call)
		}}},
	})
	check(err)
	l.Machine.Locked("board", func() {
		dev, err := l.Machine.Devices.Create("gpex-pcihost")
		check(err)
		l.PCI = dev.(*pci.GPEXHost)
		l.PCI.Connect(pci.Platform{
			Map: l.Machine.Map, System: l.Machine.Memory, Main: l.Machine.Loop.Main, Clock: l.Machine.Virtual,
			Random: zeroes{}, CPUs: 1,
		}, func(int, bool) {})
		l.PCI.ECAMBase, l.PCI.ECAMSize = ecamBase, ecamSize
		l.PCI.LowBase, l.PCI.LowSize = mmioBase, mmioSize
		check(l.Machine.Devices.Realize(l.PCI, l.Machine.Devices.SystemBus()))
		l.PCI.Dev().Unref()
		l.PCI.MapInto(l.Machine.Memory)
		for i := range ports {
			_, err := l.Machine.Devices.Add(qobject.Members("driver", "pcie-root-port", "id", fmt.Sprintf("rp%d", i), "chassis", int64(i+1)), qdev.JSON)
			check(err)
		}
	})
	l.Machine.Start()
	return l
}

// commands are what scenarios add to the monitor: an ordinary command, which
// calls what they put into extra, and one that runs out of band.
func (l *Lab) commands() []qmp.Command[*coro.Co] {
	run := func(name string) qmp.Command[*coro.Co] {
		return qmp.Command[*coro.Co]{Name: name, Run: func(*qmp.Call, *qobject.Dict) (any, error) {
			l.extra[name]()
			return nil, nil
		}}
	}
	oob := run("x-test-oob")
	oob.Options = qmp.AllowOOB
	oob.Run = func(*qmp.Call, *qobject.Dict) (any, error) { return nil, nil }
	return []qmp.Command[*coro.Co]{run("x-test-job"), run("x-test-query"), oob}
}

// close takes the machine down once everybody is done with it.
func (l *Lab) close() {
	for _, t := range l.vcpus {
		t.Join()
	}
	for _, c := range l.clients {
		c.Close()
	}
	l.Set.Close()
	l.Machine.Close()
}

// check panics on an error of the lab's own making.
func check(err error) {
	if err != nil {
		panic(err)
	}
}

// board is the lab as a machine.Board.
type board struct{ l *Lab }

// Type implements machine.Board.
func (board) Type() string { return "virt" }

// RAMSize implements machine.Board.
func (board) RAMSize() uint64 { return 0 }

// DeviceTree implements machine.Board.
func (board) DeviceTree() []byte { return nil }

// PCI implements machine.Board.
func (b board) PCI() []*pci.Host { return []*pci.Host{b.l.PCI.Host()} }

// ROMs implements machine.Board.
func (board) ROMs() []machine.ROM { return nil }

// zeroes is a source of randomness without any.
type zeroes struct{}

// Read implements io.Reader.
func (zeroes) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// VCPU is a thread that accesses memory as a hart does: it looks the map up
// inside an RCU read section and takes the BQL for a device's callback.
type VCPU struct {
	l      *Lab
	Thread *sched.Thread
	Reader *rcu.Reader
	access *mem.Access
}

// StartVCPU runs f on a vCPU thread.
func (l *Lab) StartVCPU(name string, f func(v *VCPU)) *sched.Thread {
	t := l.World.Go(name, func(t *sched.Thread) {
		v := &VCPU{l: l, Thread: t, Reader: l.Machine.RCU.Register(name), access: mem.NewAccess(t)}
		defer v.Reader.Unregister()
		f(v)
	})
	l.vcpus = append(l.vcpus, t)
	return t
}

// Write stores 4 bytes, as a guest's instruction would.
func (v *VCPU) Write(addr, value uint64) mem.Result {
	v.Reader.Lock()
	defer v.Reader.Unlock()
	return v.l.Machine.System.Write(v.access, addr, value, 4)
}

// Read loads size bytes.
func (v *VCPU) Read(addr uint64, size uint) (uint64, mem.Result) {
	v.Reader.Lock()
	defer v.Reader.Unlock()
	return v.l.Machine.System.Read(v.access, addr, size)
}

// Flag is something that threads wait for, with waits that the scheduler
// knows.
type Flag struct {
	mu   sched.Mutex
	cond *sched.Cond
	set  bool
}

// NewFlag returns a Flag that is not set.
func (l *Lab) NewFlag(name string) *Flag {
	f := new(Flag)
	f.mu.Init(l.World, name)
	f.cond = sched.NewCond(&f.mu)
	return f
}

// Set sets it.
func (f *Flag) Set() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.set = true
	f.cond.Broadcast()
}

// IsSet reports whether it is set.
func (f *Flag) IsSet() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.set
}

// Wait blocks until it is set.
func (f *Flag) Wait() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for !f.set {
		f.cond.Wait()
	}
}
