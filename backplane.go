// Package backplane is a riscv64 virtual machine that devices are plugged into
// while it runs, for use inside a Go program: no QEMU, no KVM, no cgo.
//
//	m, err := backplane.New(backplane.Config{Args: []string{
//		"-M", "virt", "-kernel", "builtin:demo", "-device", "pcie-root-port,id=rp0,chassis=1",
//	}})
//	if err != nil { … }
//	defer m.Close()
//	err = m.Start()
//	err = m.Plug(ctx, backplane.Device{Driver: "virtio-rng-pci", ID: "rng0", Bus: "rp0"})
//	err = m.Unplug(ctx, "rng0") // returns once the guest has let go and everything is free
//
// The flags are QEMU's, and so is the management interface: [Machine.QMP]
// gives a client of it in this process, and a -qmp flag serves it on a socket.
//
// A Machine's methods may be called from any goroutine. Its threads are its
// own and have ended when Close returns. One process can hold many machines.
package backplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/backplane-vm/backplane/internal/launch"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qmp"
)

// Version is backplane's version.
const Version = launch.Version

// Config says what machine to make.
type Config struct {
	// Args are QEMU-style flags, without a program name. Flags that need a
	// terminal (stdio) are refused.
	Args []string
	// Console, if set, is written what the guest prints, in place of -serial.
	// It is called from a thread of its own and may block; the guest's port
	// then holds its bytes back.
	Console io.Writer
	// Warn takes messages for whoever runs the machine; nil drops them.
	Warn func(text string)
	// KeepGOMAXPROCS forbids Start to raise GOMAXPROCS, which is the whole
	// process's: see there.
	KeepGOMAXPROCS bool
}

// ErrClosed is returned by calls on a machine that has been closed.
var ErrClosed = machine.ErrClosed

// A Machine is one virtual machine.
type Machine struct {
	vm       *launch.VM
	console  *console
	removals removals
}

// New makes a machine that does not run yet. Errors have QEMU's words.
func New(c Config) (*Machine, error) {
	m := new(Machine)
	o := launch.Options{Warn: c.Warn, KeepProcessors: c.KeepGOMAXPROCS}
	if c.Console != nil {
		m.console = newConsole(c.Console)
		o.Console = m.console
	}
	vm, err := launch.New(c.Args, o)
	var help *launch.Help
	if errors.As(err, &help) {
		return nil, fmt.Errorf("backplane: the flags ask for help, not for a machine")
	}
	if err != nil {
		return nil, err
	}
	m.vm = vm
	vm.Machine.Observe(m.removals.observe)
	if m.console != nil {
		m.console.start(vm.Machine)
	}
	return m, nil
}

// Start lets the machine run; the guest too, unless -S was among the flags.
//
// Harts that compute never leave the processor, so Start raises GOMAXPROCS to
// the machine's harts and two if it is less, and leaves it there. That is
// a setting of the whole process, and it ends the runtime's own adjustment of
// it. A process that knows better, such as one with many busy machines, whose
// harts add up, sets it itself; [Config].KeepGOMAXPROCS forbids it.
func (m *Machine) Start() error { return m.vm.Start() }

// Done is closed once the machine is to end: the guest powered off, a client
// said quit. Whoever made the machine then closes it.
func (m *Machine) Done() <-chan struct{} { return m.vm.Machine.ShutdownRequested() }

// Close ends the machine and gives back everything it holds. It blocks until
// all its threads have ended. Closing again does nothing.
func (m *Machine) Close() {
	if m.console != nil {
		m.console.close()
	}
	m.vm.Close()
}

// QMP returns a client of the machine's monitor, connected within this
// process. The caller closes it.
func (m *Machine) QMP(ctx context.Context) (*qmp.Client, error) {
	ours, theirs := net.Pipe()
	m.vm.Machine.World.Go("qmp reader", func(*sched.Thread) { m.vm.Monitors.ServeQMP(theirs, false) })
	return qmp.NewClient(ctx, ours)
}

// Stats tells how the machine has fared since it was made, or since
// [Machine.ResetStats].
type Stats struct {
	// BQLLongestHold is the longest time, in nanoseconds, that somebody held
	// the big lock, and BQLHolder what for.
	BQLLongestHold int64
	BQLHolder      string
	// BQLAcquired counts how often it was taken, BQLContended how often a
	// thread had to wait for it, BQLLongestWait the longest such wait in
	// nanoseconds.
	BQLAcquired, BQLContended uint64
	BQLLongestWait            int64
	// GracePeriods counts RCU grace periods since the machine was made.
	GracePeriods uint64
	// Instructions counts what all harts have executed since the machine was
	// made; of what a busy hart is at, up to a million are not counted yet.
	Instructions uint64
}

// Stats returns the statistics. It does not wait for the big lock.
func (m *Machine) Stats() Stats {
	l := m.vm.Machine.BQL.Stats()
	s := Stats{
		BQLLongestHold: l.LongestHold, BQLHolder: l.LongestWho, BQLAcquired: l.Acquired,
		BQLContended: l.Contended, BQLLongestWait: l.LongestWait, GracePeriods: m.vm.Machine.RCU.Periods(),
	}
	for _, c := range m.vm.Machine.CPUs() {
		s.Instructions += c.Hart().Retired()
	}
	return s
}

// ResetStats starts the statistics of the big lock anew.
func (m *Machine) ResetStats() { m.vm.Machine.BQL.ResetStats() }
