package riscv

// How other goroutines start, stop, interrupt and wake a hart.

type controlState = uint32

const (
	statePaused controlState = iota
	stateRunning
	stateStopped
)

// runBudget is how many instructions the engine executes before it comes out
// on its own account. It only bounds how long Run goes without a look at its
// control state if a Kick were lost; none is.
const runBudget = 1 << 20

// Run executes the hart until Stop, on the caller's goroutine. While the hart
// is paused or waits for an interrupt, it blocks without polling.
func (h *Hart) Run() {
	for h.admit() {
		if h.waiting && !h.park() {
			continue
		}
		h.engine.Run(runBudget)
		h.retired.Store(h.instret)
	}
}

// admit blocks while the hart is paused and reports whether it may run.
func (h *Hart) admit() bool {
	h.controlMu.Lock()
	defer h.controlMu.Unlock()
	for h.control.Load() == statePaused {
		h.leftLocked()
		h.controlCV.Wait()
	}
	if h.control.Load() == stateStopped {
		h.leftLocked()
		return false
	}
	h.inside = true
	return true
}

func (h *Hart) leftLocked() {
	h.inside = false
	h.controlCV.Broadcast()
}

// park waits for what WFI waits for: an interrupt that is enabled in mie,
// delivered or not. It reports false if a pause or stop came first; the hart
// then still waits when it is resumed.
func (h *Hart) park() bool {
	h.halted.Store(true)
	for h.control.Load() == stateRunning {
		if h.pending() != 0 {
			h.waiting, h.check = false, true
			h.halted.Store(false)
			return true
		}
		<-h.wake
	}
	return false
}

// Step executes at most about budget instructions on the caller's goroutine
// and reports why it came out. The hart must be paused. A hart that waits for
// an interrupt returns ExitWFI at once, unless one is pending.
func (h *Hart) Step(budget int) Exit {
	if h.waiting {
		if h.pending() == 0 {
			return ExitWFI
		}
		h.waiting, h.check = false, true
	}
	h.stepping = true
	defer func() { h.stepping = false }()
	return h.engine.Run(budget)
}

// SetRunning lets the hart run, or asks it to pause without waiting until it
// has. It has no effect after Stop.
func (h *Hart) SetRunning(run bool) {
	if run {
		h.setControl(stateRunning)
	} else {
		h.setControl(statePaused)
	}
}

// Pause asks the hart to pause and returns when it is outside the engine and
// its state may be read and changed from here. Bus callbacks in progress are
// finished first, so a caller must not hold what they may wait for, nor be
// one of them.
func (h *Hart) Pause() {
	h.setControl(statePaused)
	h.controlMu.Lock()
	defer h.controlMu.Unlock()
	for h.inside {
		h.controlCV.Wait()
	}
}

// AwaitPause returns, once SetRunning has asked the hart to pause, when it is
// outside the engine as after [Hart.Pause], or when it has been let run again;
// it reports which.
func (h *Hart) AwaitPause() (paused bool) {
	h.controlMu.Lock()
	defer h.controlMu.Unlock()
	for h.inside && !h.Running() {
		h.controlCV.Wait()
	}
	return !h.inside
}

// Stop makes Run return, without waiting for it. It is final.
func (h *Hart) Stop() { h.setControl(stateStopped) }

func (h *Hart) setControl(s controlState) {
	h.controlMu.Lock()
	if h.control.Load() != stateStopped {
		h.control.Store(s)
	}
	h.controlCV.Broadcast()
	h.controlMu.Unlock()
	h.Kick()
}

// Running reports whether the hart may run: neither paused nor stopped.
func (h *Hart) Running() bool { return h.control.Load() == stateRunning }

// Halted reports whether the hart waits for an interrupt.
func (h *Hart) Halted() bool { return h.halted.Load() }

// Kick makes a running hart leave its block loop within microseconds and look
// at its interrupts and control state, and wakes a parked one to look.
func (h *Hart) Kick() {
	h.attention.Store(1)
	select {
	case h.wake <- struct{}{}:
	default: // a token is there already
	}
}

// attend is the engine's answer to attention. It must be called before the
// hart orders memory for others to see, and reports false if the hart is to
// leave the engine.
func (h *Hart) attend() bool {
	h.attention.Store(0)
	h.honourDrops()
	h.check = true
	return h.stepping || h.control.Load() == stateRunning
}

// SetIRQ drives an interrupt: cause is the number of its bit in mip. Lines
// (MSIP, MTIP, MEIP, SEIP) stay as set; SSIP and STIP are also software's to
// change.
func (h *Hart) SetIRQ(cause uint, level bool) {
	bit := uint64(1) << cause & mipMask
	if !level {
		h.mip.And(^bit)
		return
	}
	if h.mip.Or(bit)&bit == 0 {
		h.Kick()
	}
}
