package riscv

// Exit says why an engine returned.
type Exit uint8

// The reasons.
const (
	ExitBudget    Exit = iota // the budget is used up
	ExitAttention             // somebody wants the hart out: pause, stop
	ExitWFI                   // the hart waits for an interrupt
)

// Engine executes instructions for the one hart that it was made for. All
// calls are on the goroutine that runs the hart. An engine owns what it derives
// from instruction bytes; all architectural state is the hart's.
type Engine interface {
	// Run delivers pending interrupts and executes instructions until budget of
	// them have retired or trapped (and up to a basic block more), the hart
	// waits, or it is wanted elsewhere. Between instructions h.pc and h.instret need not be kept
	// up to date; whenever other code of the hart runs, they are.
	Run(budget int) Exit

	// Sync drops whatever was derived from bytes that have since changed. It
	// is called after FENCE.I and after the hart itself stored into code.
	Sync()

	// Reset drops everything.
	Reset()
}

// reference is the engine that has no state: it fetches, decodes and executes
// one instruction after another through the hart's own definitions.
type reference struct{ h *Hart }

// Reference makes the plain engine that serves as oracle.
func Reference(h *Hart) Engine { return reference{h} }

func (reference) Sync()  {}
func (reference) Reset() {}

func (e reference) Run(budget int) Exit {
	h := e.h
	for ; ; budget-- {
		if h.attention.Load() != 0 && !h.attend() {
			return ExitAttention
		}
		if h.check {
			h.interrupt()
		}
		if budget <= 0 {
			return ExitBudget
		}
		h.step()
		if h.waiting {
			return ExitWFI
		}
	}
}

// step fetches and executes one instruction: it retires, or traps.
func (h *Hart) step() {
	if insn, n, ok := h.fetch(h.pc); ok {
		h.execute(insn, n)
	}
}

// fetch reads the instruction at pc and returns its 32-bit form and its size
// in bytes. ok false means that it trapped instead.
func (h *Hart) fetch(pc uint64) (insn uint32, n uint64, ok bool) {
	lo, ok := h.fetch16(pc)
	if !ok {
		return 0, 0, false
	}
	if lo&3 != 3 {
		return expand(lo), 2, true
	}
	hi, ok := h.fetch16(pc + 2)
	return uint32(hi)<<16 | uint32(lo), 4, ok
}

func (h *Hart) fetch16(va uint64) (uint16, bool) {
	if p := h.code.exec.lookup(va, 2); p != nil {
		return load16(p), true
	}
	pa, r, ok := h.resolve(va, 2, accessFetch)
	if !ok {
		return 0, false
	}
	if r == nil { // device registers hold no code
		h.trap(causeFetchAccess, va)
		return 0, false
	}
	return load16(r.at(pa - r.base)), true
}
