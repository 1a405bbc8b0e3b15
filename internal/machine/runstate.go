package machine

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/mutant"
)

// RunState is what the machine is doing, in QEMU's words (enum RunState).
type RunState string

// The run states this machine has.
const (
	Prelaunch RunState = "prelaunch" // made with -S and not yet started
	Running   RunState = "running"
	Paused    RunState = "paused"
	IOFailed  RunState = "io-error" // a disk failed and was told to stop the machine
	SaveVM    RunState = "save-vm"  // stands still while its memory is written down
	Shutdown  RunState = "shutdown" // ending, or the guest has shut down and the machine was told to stay
)

// ShutdownCause says why a machine resets or ends, in QEMU's words (enum
// ShutdownCause).
type ShutdownCause string

// The causes this machine has.
const (
	HostQMPQuit        ShutdownCause = "host-qmp-quit"
	HostQMPSystemReset ShutdownCause = "host-qmp-system-reset"
	HostSignal         ShutdownCause = "host-signal"
	HostUI             ShutdownCause = "host-ui"
	GuestShutdown      ShutdownCause = "guest-shutdown"
	GuestReset         ShutdownCause = "guest-reset"
	GuestPanic         ShutdownCause = "guest-panic"
)

// Guest reports whether the guest itself asked.
func (c ShutdownCause) Guest() bool {
	return c == GuestShutdown || c == GuestReset || c == GuestPanic
}

// host reports whether whoever runs the machine asked for its end.
func (c ShutdownCause) host() bool { return c == HostQMPQuit || c == HostSignal || c == HostUI }

// Actions is what happens when something ends, in QEMU's words. Nothing on
// this machine panics or watches yet; what is set for that is kept.
type Actions struct {
	Reboot   string // "reset" or "shutdown"
	Shutdown string // "poweroff" or "pause"
	Panic    string
	Watchdog string
}

func defaultActions() Actions {
	return Actions{Reboot: "reset", Shutdown: "poweroff", Panic: "shutdown", Watchdog: "reset"}
}

// Actions returns what happens when something ends, to be read and changed
// under the BQL.
func (m *Machine) Actions() *Actions { return &m.actions }

// State returns the run state. The caller holds the BQL.
func (m *Machine) State() RunState { return m.state }

// NeedsReset reports whether the guest has shut down and can only go on after
// a reset. The caller holds the BQL.
func (m *Machine) NeedsReset() bool { return m.state == Shutdown && !m.ending }

// Ending reports whether the machine ends for good. The caller holds the BQL.
func (m *Machine) Ending() bool { return m.ending }

// Stop stops the guest and returns once no CPU executes, no request of its disks
// is in flight and what they wrote is flushed. It yields; the caller is a
// coroutine that runs under the BQL, and no CPU. An error is why co was
// cancelled: then the guest runs on, and if it had stopped it was resumed.
func (m *Machine) Stop(co *coro.Co) error {
	if err := m.stateLock.LockCancelable(co); err != nil {
		return err
	}
	defer m.stateLock.Unlock(co)
	_, err := m.stop(co, Paused)
	return err
}

// stop leaves the state running for state and tells whether it did. An error is
// why co was cancelled: then the state is what it was. The caller holds
// stateLock.
func (m *Machine) stop(co *coro.Co, state RunState) (did bool, err error) {
	if m.state != Running {
		return false, nil
	}
	if err := m.pauseCPUs(co, m.cpus...); err != nil {
		return false, err
	}
	if m.state != Running { // shut down meanwhile
		return false, nil
	}
	m.Virtual.Stop()
	m.enter(state)
	m.emit(Stopped{})
	aio.Within(co, m.Loop.Main, func() { err = m.settleDisks(co) })
	if err != nil && m.state == state && !mutant.Planted("machine-stays-stopped") {
		m.resume()
	}
	return err == nil, err
}

// Still runs f while no CPU executes and nobody changes that. A guest that was
// running goes on afterwards. It yields, and so may f; the caller is as for
// Stop. An error is why co was cancelled before f.
func (m *Machine) Still(co *coro.Co, f func()) error {
	if err := m.stateLock.LockCancelable(co); err != nil {
		return err
	}
	defer m.stateLock.Unlock(co)
	was, err := m.stop(co, SaveVM)
	if err != nil {
		return err
	}
	f()
	if was && m.state == SaveVM {
		m.resume()
	}
	return nil
}

// Cont lets the guest execute. It yields only to an earlier change of state,
// and fails only if co is cancelled before its turn. A machine that is shutting
// down stays as it is.
func (m *Machine) Cont(co *coro.Co) error {
	if err := m.stateLock.LockCancelable(co); err != nil {
		return err
	}
	defer m.stateLock.Unlock(co)
	if m.state != Running && m.state != Shutdown {
		m.resume()
	}
	return nil
}

func (m *Machine) resume() {
	m.enter(Running)
	m.Virtual.Start()
	m.Blocks.Retry()
	m.emit(Resumed{})
	m.resumeCPUs(m.cpus...)
}

// Reset puts CPUs and devices into their reset state and lets the guest go on
// if it was executing; a guest that was not is as if it had never run. If
// resets are to end the machine, it does that instead. Like Stop it is for
// coroutines. An error is why co was cancelled: then nothing was reset.
func (m *Machine) Reset(co *coro.Co, cause ShutdownCause) error {
	if m.actions.Reboot == "shutdown" {
		return m.shutDownCo(co, cause)
	}
	if err := m.stateLock.LockCancelable(co); err != nil {
		return err
	}
	defer m.stateLock.Unlock(co)
	if err := m.pauseCPUs(co, m.cpus...); err != nil {
		return err
	}
	m.resetDevices()
	for _, c := range m.cpus {
		c.hart.Reset()
	}
	m.emit(WasReset{Cause: cause})
	switch {
	case m.state == Running:
		m.resumeCPUs(m.cpus...)
	case !m.ending:
		m.enter(Prelaunch)
	}
	return nil
}

// faulted tells of a disk's failure, and has the machine stopped soon if that is
// what it leads to.
func (m *Machine) faulted(f block.Fault) {
	m.emit(IOError{f})
	if f.Action != block.Stop || m.failing {
		return
	}
	m.failing = true
	m.Loop.IOHandler.Spawn("io-error", func(co *coro.Co) {
		defer func() { m.failing = false }()
		m.stateLock.Lock(co)
		defer m.stateLock.Unlock(co)
		_, _ = m.stop(co, IOFailed) // nobody cancels it
	})
}

func (m *Machine) resetDevices() {
	for _, f := range m.resets {
		f()
	}
	m.Devices.Reset()
}

// RequestReset has the machine reset soon. It is for devices and other callers
// that hold the BQL and cannot yield.
func (m *Machine) RequestReset(cause ShutdownCause) {
	m.Loop.IOHandler.Spawn("reset", func(co *coro.Co) { _ = m.Reset(co, cause) }) // nobody cancels it
}

// RequestPowerdown asks the guest to power down. The virt board without a
// power button has no way to tell it, as in QEMU; clients see the event.
func (m *Machine) RequestPowerdown() { m.emit(PoweringDown{}) }

// RequestShutdown announces the machine's end and wakes whoever waits for it
// ([Machine.ShutdownRequested]); that one closes the machine. CPUs stop soon.
// The caller holds the BQL. Only the first request counts. If a guest that
// shuts down is to pause, that is what happens, soon.
func (m *Machine) RequestShutdown(cause ShutdownCause) {
	if m.stays(cause) {
		m.Loop.IOHandler.Spawn("shutdown", func(co *coro.Co) { m.shutDown(co, cause) })
		return
	}
	m.end(cause)
}

// stays reports whether a shutdown for that cause only pauses the machine.
func (m *Machine) stays(cause ShutdownCause) bool {
	return m.actions.Shutdown == "pause" && !cause.host() && !m.ending
}

// shutDown ends the machine, or pauses it if that is what a shutdown does.
func (m *Machine) shutDown(co *coro.Co, cause ShutdownCause) {
	if !m.stays(cause) {
		m.end(cause)
		return
	}
	m.emit(ShuttingDown{Cause: cause})
	m.stateLock.Lock(co)
	defer m.stateLock.Unlock(co)
	_, _ = m.stop(co, Shutdown) // nobody cancels it
}

// shutDownCo is shutDown for a coroutine that may be cancelled: before, for an
// end that has been announced comes.
func (m *Machine) shutDownCo(co *coro.Co, cause ShutdownCause) error {
	if err := co.Err(); err != nil {
		return err
	}
	var over coro.Event
	m.Loop.IOHandler.Spawn("shutdown", func(own *coro.Co) {
		m.shutDown(own, cause)
		over.Set()
	})
	over.Wait(co)
	return nil
}

func (m *Machine) end(cause ShutdownCause) {
	if m.ending {
		return
	}
	m.ending = true
	m.enter(Shutdown)
	m.cause = cause
	for _, c := range m.cpus {
		c.hart.SetRunning(false)
	}
	m.emit(ShuttingDown{Cause: cause})
	close(m.shutdown)
}

// ShutdownRequested returns a channel that is closed once the machine is to
// end.
func (m *Machine) ShutdownRequested() <-chan struct{} { return m.shutdown }

// ShutdownCause returns why the machine ends; "" while it does not. The caller
// holds the BQL.
func (m *Machine) ShutdownCause() ShutdownCause { return m.cause }

// SetExitCode notes the status with which a guest that failed wants the
// process to end. The caller holds the BQL.
func (m *Machine) SetExitCode(code int) { m.exitCode = code }

// ExitCode returns what SetExitCode was given, or 0. The caller holds the BQL.
func (m *Machine) ExitCode() int { return m.exitCode }
