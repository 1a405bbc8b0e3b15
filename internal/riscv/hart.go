package riscv

import (
	"errors"
	"sync"
	"sync/atomic"
)

// Priv is a privilege mode, with the encoding of mstatus.MPP.
type Priv uint8

// The privilege modes.
const (
	PrivU Priv = 0
	PrivS Priv = 1
	PrivM Priv = 3
)

// registers is the register file. It is indexed by uint8 so that no index
// needs a bounds check; what lies above x31 is scratch.
type registers [256]uint64

// regSink is where decoded operations put results meant for x0.
const regSink = 32

// ISA is the instruction set of every hart in the notation of the device
// tree property riscv,isa. Config.ArmTimer adds "_sstc".
const ISA = "rv64imac_zicntr_zicsr_zifencei"

// Config is what a hart is made of. Memory and Bus are required.
type Config struct {
	ID     uint64 // mhartid
	Memory *Memory
	Bus    Bus

	// ResetPC is where the hart starts, in M-mode, after Reset.
	ResetPC uint64

	// Time reads the machine's timer, for the time CSR. It is called on the
	// hart's goroutine and must not block. If nil, reading time traps.
	Time func() uint64

	// ArmTimer has CheckTimer called once Time reaches deadline; a later call
	// replaces an earlier one, and the deadline ^0 is never reached. It must
	// not block nor call CheckTimer itself. If nil (or Time is), the hart has
	// no Sstc.
	ArmTimer func(deadline uint64)

	// Ecall, if set, sees each ECALL from S-mode before it traps: firmware
	// outside the guest. It runs on the hart's goroutine with the registers to
	// read and write; true means done, and the next instruction is next.
	Ecall func(h *Hart) (handled bool)

	// Trapped, if set, sees each trap before it is taken, on the hart's goroutine.
	// It must not call back into the hart but to read.
	Trapped func(h *Hart, cause, tval uint64)

	// Engine makes the hart's engine; nil means Blocks.
	Engine func(h *Hart) Engine
}

// Hart is one RISC-V hardware thread. See the package comment for which
// goroutine owns what; a field without a note is the running goroutine's.
type Hart struct {
	x    registers
	pc   uint64
	data *tlb // of h.tlbs, for loads and stores
	code *tlb // of h.tlbs, for instruction fetch

	// attention asks the engine to come out of its loop and call attend. Set
	// from any goroutine, cleared by attend.
	attention atomic.Uint32

	priv    Priv
	instret uint64 // instructions retired since New
	traps   uint64 // exceptions and interrupts taken since New
	csrs
	pmp         pmp
	reservation reservation
	barrier     atomic.Uint32 // touched by FENCE where a locked operation is one
	tlbs        [numContexts]tlb
	large       uint64 // filter of where superpages are in tlbs

	// check is set by whatever may have made an interrupt deliverable, waiting
	// by WFI until an interrupt is pending.
	check, waiting bool
	stepping       bool // inside Step

	mip      atomic.Uint64 // interrupt lines and software bits; any goroutine
	timerMu  sync.Mutex
	stimecmp uint64 // guarded by timerMu
	timerOn  bool   // menvcfg.STCE; guarded by timerMu

	cfg    Config // immutable
	mem    *Memory
	bus    Bus
	engine Engine

	requestMu sync.Mutex
	requests  map[codePageRef]struct{} // guarded by requestMu; at most the pages of RAM

	// wake holds a token when a parked hart has something to look at.
	wake      chan struct{}
	halted    atomic.Bool
	control   atomic.Uint32 // a controlState; written under controlMu
	controlMu sync.Mutex
	controlCV *sync.Cond
	inside    bool // in the engine or parked; guarded by controlMu

	retired atomic.Uint64 // instret as the engine last left it
}

// New returns a hart in its reset state, not running: SetRunning starts it
// once somebody has called Run.
func New(cfg Config) (*Hart, error) {
	if cfg.Memory == nil || cfg.Bus == nil {
		return nil, errors.New("riscv: a hart needs a Memory and a Bus")
	}
	if cfg.Time == nil {
		cfg.ArmTimer = nil
	}
	if cfg.Engine == nil {
		cfg.Engine = Blocks
	}
	h := &Hart{cfg: cfg, mem: cfg.Memory, bus: cfg.Bus, wake: make(chan struct{}, 1),
		requests: make(map[codePageRef]struct{})}
	h.controlCV = sync.NewCond(&h.controlMu)
	for i := range h.tlbs {
		h.tlbs[i].flush()
	}
	h.engine = cfg.Engine(h)
	h.Reset()
	cfg.Memory.attach(h)
	return h, nil
}

// Reset puts the hart into its reset state (Priv. §3.4): M-mode at ResetPC,
// general registers zero. Interrupt lines driven from outside keep their
// level. The hart must be paused or not yet running.
func (h *Hart) Reset() {
	h.x = registers{}
	h.pc = h.cfg.ResetPC
	h.priv = PrivM
	h.csrs = resetCSRs(h.instret)
	h.pmp = pmp{}
	h.reservation = reservation{}
	h.waiting = false
	h.check = true
	h.halted.Store(false)
	h.mip.And(^uint64(mipSSIP | mipSTIP))
	h.writeStimecmp(^uint64(0))
	h.flushTLB(true)
	h.selectContext()
	h.engine.Reset()
}

// Reg returns general register n, 0 to 31.
func (h *Hart) Reg(n int) uint64 { return h.x[n&31] }

// SetReg sets general register n; n 0 does nothing.
func (h *Hart) SetReg(n int, v uint64) {
	if n &= 31; n != 0 {
		h.x[n] = v
	}
}

// PC returns the address of the next instruction.
func (h *Hart) PC() uint64 { return h.pc }

// SetPC sets the address of the next instruction and ends a WFI.
func (h *Hart) SetPC(pc uint64) {
	h.pc = pc &^ 1
	h.waiting = false
	h.halted.Store(false)
}

// Priv returns the privilege mode.
func (h *Hart) Priv() Priv { return h.priv }

// SetPriv sets the privilege mode, for firmware that is not guest code.
func (h *Hart) SetPriv(p Priv) {
	h.priv = p
	h.check = true
	h.selectContext()
}

// ID returns mhartid.
func (h *Hart) ID() uint64 { return h.cfg.ID }

// Instret returns the number of instructions retired since New. It is for the
// goroutine that runs the hart, or while nobody does.
func (h *Hart) Instret() uint64 { return h.instret }

// Retired returns Instret as it was when the engine last came out, which it
// does at every interrupt and idle moment, and after a million instructions at
// the latest. Any goroutine may call it.
func (h *Hart) Retired() uint64 { return h.retired.Load() }

// Traps returns the number of exceptions and interrupts taken since New.
func (h *Hart) Traps() uint64 { return h.traps }

// set writes a general register of an instruction.
func (h *Hart) set(rd uint32, v uint64) {
	if rd != 0 {
		h.x[uint8(rd)] = v
	}
}
