package riscv

// Supervisor timer (extension Sstc): mip.STIP is time >= stimecmp.

const mcounterenTM = 1 << 1

// stimecmpEnabled reports whether mode p may use stimecmp.
func (h *Hart) stimecmpEnabled(p Priv) bool {
	if h.cfg.ArmTimer == nil {
		return false
	}
	return p == PrivM || h.mcounteren&mcounterenTM != 0 && h.menvcfg&envcfgSTCE != 0
}

func (h *Hart) readStimecmp() uint64 {
	h.timerMu.Lock()
	defer h.timerMu.Unlock()
	return h.stimecmp
}

func (h *Hart) writeStimecmp(v uint64) {
	h.timerMu.Lock()
	h.stimecmp = v
	h.timerMu.Unlock()
	h.refreshTimer()
}

// refreshTimer recomputes STIP and rearms the timer after stimecmp or
// menvcfg.STCE has changed.
func (h *Hart) refreshTimer() {
	h.timerMu.Lock()
	defer h.timerMu.Unlock()
	h.timerOn = h.menvcfg&envcfgSTCE != 0
	if h.timerOn {
		h.checkTimerLocked()
	}
}

// CheckTimer is to be called when a deadline given to ArmTimer has come. It
// may come late, early or twice.
func (h *Hart) CheckTimer() {
	h.timerMu.Lock()
	defer h.timerMu.Unlock()
	if h.timerOn {
		h.checkTimerLocked()
	}
}

func (h *Hart) checkTimerLocked() {
	due := h.cfg.Time() >= h.stimecmp
	h.SetIRQ(IRQSupervisorTimer, due)
	if !due {
		h.cfg.ArmTimer(h.stimecmp)
	}
}
