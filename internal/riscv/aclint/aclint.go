// Package aclint is the core-local interruptor of the virt machine: a
// software-interrupt register and a timer compare register for each hart, and
// the machine's time, in the layout of SiFive's CLINT (ACLINT specification
// §2 and §3: an MTIMER and an MSWI device in one page range).
//
// The package starts no goroutines and takes no locks; the caller serialises
// all calls (in the machine, under the BQL), except Time, which may be called
// from anywhere if the clock may. Callbacks run inside Read, Write, Fire and
// Reset, and must not call back into the device.
package aclint

import (
	"math/bits"
	"sync/atomic"
)

// Frequency is the rate of mtime in Hz, the device tree's
// timebase-frequency.
const Frequency = 10_000_000

// Size is how many bytes of address space the device takes.
const Size = 0x10000

// MaxHarts is how many harts the layout has room for.
const MaxHarts = 4095

// Register offsets; those by hart step by 4 and 8 bytes.
const (
	msipBase     = 0x0000
	mtimecmpBase = 0x4000
	mtimeBase    = 0xbff8
)

// Config is what the device is wired to. All members are required.
type Config struct {
	Harts int // 1 to MaxHarts

	// Now is the machine's clock in nanoseconds, monotonic; while the machine
	// stands still it may too.
	Now func() int64

	// ArmTimer has Fire(hart) called when Now reaches deadline, replacing what
	// was armed for the hart before. CancelTimer takes that back; a Fire that
	// is already under way is harmless.
	ArmTimer    func(hart int, deadline int64)
	CancelTimer func(hart int)

	// Software and Timer drive a hart's MSIP and MTIP lines.
	Software func(hart int, level bool)
	Timer    func(hart int, level bool)
}

// Device is the interruptor.
type Device struct {
	cfg      Config
	msip     []bool
	mtimecmp []uint64
	offset   atomic.Uint64 // mtime less the ticks of the clock; harts read it without a lock
}

// New returns a device in its reset state. It panics if cfg.Harts is out of
// range, which is a mistake of the machine's builder.
func New(cfg Config) *Device {
	if cfg.Harts < 1 || cfg.Harts > MaxHarts {
		panic("aclint: number of harts out of range")
	}
	d := &Device{cfg: cfg, msip: make([]bool, cfg.Harts), mtimecmp: make([]uint64, cfg.Harts)}
	for i := range d.mtimecmp {
		d.mtimecmp[i] = ^uint64(0)
	}
	d.offset.Store(-d.ticks())
	return d
}

// Reset starts time at 0, clears all interrupts and disarms all timers.
func (d *Device) Reset() {
	d.offset.Store(-d.ticks())
	for hart := range d.msip {
		d.setSoftware(hart, false)
		d.mtimecmp[hart] = ^uint64(0)
		d.refresh(hart)
	}
}

// Time returns mtime.
func (d *Device) Time() uint64 { return d.ticks() + d.offset.Load() }

func (d *Device) ticks() uint64 {
	hi, lo := bits.Mul64(uint64(d.cfg.Now()), Frequency)
	q, _ := bits.Div64(hi, lo, 1e9)
	return q
}

// Deadline returns the clock's nanosecond at which mtime reaches ticks, or
// now if it has; ok is false if that is beyond what an int64 holds.
func (d *Device) Deadline(ticks uint64) (deadline int64, ok bool) {
	clock := d.ticks()
	at, carry := bits.Add64(clock, ticks-min(ticks, clock+d.offset.Load()), 0)
	hi, lo := bits.Mul64(at, 1e9)
	if carry != 0 || hi >= Frequency {
		return 0, false
	}
	q, r := bits.Div64(hi, lo, Frequency)
	if r != 0 {
		q++
	}
	return int64(q), int64(q) >= 0
}

// Read returns the register at off. Reads of 4 and 8 bytes that are aligned
// succeed; a register that does not exist reads as 0.
func (d *Device) Read(off uint64, size int) (v uint64, ok bool) {
	if !valid(off, size) {
		return 0, false
	}
	switch {
	case off >= mtimeBase:
		v = d.Time() >> (8 * (off - mtimeBase))
	case off >= mtimecmpBase:
		if hart := (off - mtimecmpBase) / 8; hart < uint64(d.cfg.Harts) {
			v = d.mtimecmp[hart] >> (8 * (off % 8))
		}
	default:
		v = d.software(off / 4)
		if size == 8 {
			v |= d.software(off/4+1) << 32
		}
	}
	if size == 4 {
		v &= 1<<32 - 1
	}
	return v, true
}

func (d *Device) software(hart uint64) uint64 {
	if hart < uint64(d.cfg.Harts) && d.msip[hart] {
		return 1
	}
	return 0
}

// Write sets the register at off, as Read reads it.
func (d *Device) Write(off uint64, size int, v uint64) (ok bool) {
	if !valid(off, size) {
		return false
	}
	switch {
	case off >= mtimeBase:
		d.offset.Store(merge(d.Time(), off, size, v) - d.ticks())
		for hart := range d.mtimecmp {
			d.refresh(hart)
		}
	case off >= mtimecmpBase:
		if hart := (off - mtimecmpBase) / 8; hart < uint64(d.cfg.Harts) {
			d.mtimecmp[hart] = merge(d.mtimecmp[hart], off, size, v)
			d.refresh(int(hart))
		}
	default:
		d.writeSoftware(off/4, v)
		if size == 8 {
			d.writeSoftware(off/4+1, v>>32)
		}
	}
	return true
}

func (d *Device) writeSoftware(hart, v uint64) {
	if hart < uint64(d.cfg.Harts) {
		d.setSoftware(int(hart), v&1 != 0)
	}
}

func valid(off uint64, size int) bool {
	return (size == 4 || size == 8) && off%uint64(size) == 0 && off < mtimeBase+8
}

// merge puts size bytes of v over the half or whole of old that off names.
func merge(old, off uint64, size int, v uint64) uint64 {
	switch {
	case size == 8:
		return v
	case off%8 == 4:
		return old&(1<<32-1) | v<<32
	default:
		return old&^(1<<32-1) | v&(1<<32-1)
	}
}

func (d *Device) setSoftware(hart int, level bool) {
	d.msip[hart] = level
	d.cfg.Software(hart, level)
}

// Fire is to be called when a hart's timer runs out.
func (d *Device) Fire(hart int) { d.refresh(hart) }

// refresh drives a hart's timer line and arms what will change it next.
func (d *Device) refresh(hart int) {
	due := d.Time() >= d.mtimecmp[hart]
	d.cfg.Timer(hart, due)
	if !due {
		if deadline, ok := d.Deadline(d.mtimecmp[hart]); ok {
			d.cfg.ArmTimer(hart, deadline)
			return
		}
	}
	d.cfg.CancelTimer(hart)
}
