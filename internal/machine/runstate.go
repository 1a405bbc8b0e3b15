package machine

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
)

// RunState is what the machine is doing, in QEMU's words (enum RunState).
type RunState string

// The run states this machine has.
const (
	Prelaunch RunState = "prelaunch" // made with -S and not yet started
	Running   RunState = "running"
	Paused    RunState = "paused"
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

// Stop stops the guest and returns once no CPU executes, no request of its disks
// is in flight and what they wrote is flushed. It yields; the caller is a
// coroutine that runs under the BQL, and no CPU.
func (m *Machine) Stop(co *coro.Co) {
	m.stateLock.Lock(co)
	defer m.stateLock.Unlock(co)
	m.stop(co, Paused)
}

// stop leaves the state running for state and tells whether it did. The caller
// holds stateLock.
func (m *Machine) stop(co *coro.Co, state RunState) bool {
	if m.state != Running {
		return false
	}
	m.pauseCPUs(co)
	if m.state != Running { // shut down meanwhile
		return false
	}
	m.Virtual.Stop()
	m.state = state
	m.emit(Stopped{})
	aio.Within(co, m.Loop.Main, func() { m.settleDisks(co) })
	return true
}

// Still runs f while no CPU executes and nobody changes that. A guest that was
// running goes on afterwards. It yields, and so may f; the caller is as for
// Stop.
func (m *Machine) Still(co *coro.Co, f func()) {
	m.stateLock.Lock(co)
	defer m.stateLock.Unlock(co)
	was := m.stop(co, SaveVM)
	f()
	if was && m.state == SaveVM {
		m.resume()
	}
}

// Cont lets the guest execute. It yields only to an earlier change of state.
// A machine that is shutting down stays as it is.
func (m *Machine) Cont(co *coro.Co) {
	m.stateLock.Lock(co)
	defer m.stateLock.Unlock(co)
	if m.state == Running || m.state == Shutdown {
		return
	}
	m.resume()
}

func (m *Machine) resume() {
	m.state = Running
	m.Virtual.Start()
	m.emit(Resumed{})
	m.resumeCPUs()
}

// Reset puts CPUs and devices into their reset state and lets the guest go on
// if it was executing; a guest that was not is as if it had never run. If
// resets are to end the machine, it does that instead. Like Stop it is for
// coroutines.
func (m *Machine) Reset(co *coro.Co, cause ShutdownCause) {
	if m.actions.Reboot == "shutdown" {
		m.shutDown(co, cause)
		return
	}
	m.stateLock.Lock(co)
	defer m.stateLock.Unlock(co)
	m.pauseCPUs(co)
	m.resetDevices()
	for _, c := range m.cpus {
		c.hart.Reset()
	}
	m.emit(WasReset{Cause: cause})
	switch {
	case m.state == Running:
		m.resumeCPUs()
	case !m.ending:
		m.state = Prelaunch
	}
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
	m.Loop.IOHandler.Spawn("reset", func(co *coro.Co) { m.Reset(co, cause) })
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
	m.stop(co, Shutdown)
}

func (m *Machine) end(cause ShutdownCause) {
	if m.ending {
		return
	}
	m.ending = true
	m.state = Shutdown
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
