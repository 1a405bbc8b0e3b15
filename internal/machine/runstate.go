package machine

import (
	"github.com/backplane-vm/backplane/coro"
)

// RunState is what the machine is doing, in QEMU's words (enum RunState).
type RunState string

// The run states this machine has.
const (
	Prelaunch RunState = "prelaunch" // made with -S and not yet started
	Running   RunState = "running"
	Paused    RunState = "paused"
	Shutdown  RunState = "shutdown" // ending
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

// State returns the run state. The caller holds the BQL.
func (m *Machine) State() RunState { return m.state }

// Stop stops the guest and returns once no CPU executes. It yields; the caller
// is a coroutine that runs under the BQL, and no CPU.
func (m *Machine) Stop(co *coro.Co) {
	m.stateLock.Lock(co)
	defer m.stateLock.Unlock(co)
	if m.state != Running {
		return
	}
	m.pauseCPUs(co)
	if m.state != Running { // shut down meanwhile
		return
	}
	m.Virtual.Stop()
	m.state = Paused
	m.emit(Stopped{})
}

// Cont lets the guest execute. It yields only to an earlier change of state.
// A machine that is shutting down stays as it is.
func (m *Machine) Cont(co *coro.Co) {
	m.stateLock.Lock(co)
	defer m.stateLock.Unlock(co)
	if m.state == Running || m.state == Shutdown {
		return
	}
	m.state = Running
	m.Virtual.Start()
	m.emit(Resumed{})
	m.resumeCPUs()
}

// Reset puts CPUs and devices into their reset state and lets the guest go on
// if it was executing. Like Stop it is for coroutines.
func (m *Machine) Reset(co *coro.Co, cause ShutdownCause) {
	m.stateLock.Lock(co)
	defer m.stateLock.Unlock(co)
	m.pauseCPUs(co)
	m.resetDevices()
	for _, c := range m.cpus {
		c.hart.Reset()
	}
	m.emit(WasReset{Cause: cause})
	if m.state == Running {
		m.resumeCPUs()
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
// The caller holds the BQL. Only the first request counts.
func (m *Machine) RequestShutdown(cause ShutdownCause) {
	if m.state == Shutdown {
		return
	}
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
