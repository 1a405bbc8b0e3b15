// Package plic is the platform-level interrupt controller of the virt
// machine (RISC-V PLIC specification 1.0.0): sources with a priority each,
// and contexts - a mode of a hart - with enables, a threshold and a register
// to claim and complete.
//
// The package starts no goroutines and takes no locks; the caller serialises
// all calls (in the machine, under the BQL). Config.Output runs inside Write,
// Read, SetIRQ and Reset, and must not call back into the device.
package plic

import "math/bits"

// Register layout.
const (
	priorityBase  = 0x000000 // a word per source
	pendingBase   = 0x001000 // a bit per source
	enableBase    = 0x002000 // a bit per source and context
	enableStride  = 0x80
	contextBase   = 0x200000 // threshold, claim
	contextStride = 0x1000

	maxSources  = 1024
	maxContexts = 15872
	maxPriority = 7 // three bits
)

// Config says how large the controller is and what it drives.
type Config struct {
	// Sources is one more than the highest interrupt number, as source 0 does
	// not exist: 96 in the virt machine, for interrupts 1 to 95.
	Sources int
	// Contexts is how many there are: on virt context 2h is hart h's M-mode
	// and 2h+1 its S-mode.
	Contexts int
	// Output drives a context's interrupt line. It is called on changes only.
	Output func(context int, level bool)
}

// Device is the controller.
//
// Sources are level-triggered. A source is pending from when its line is
// high until it is claimed; its gateway then forwards no more until it has
// been completed, when a line that is still high makes it pending again.
type Device struct {
	cfg      Config
	words    int // 32-bit words for a bit per source
	priority []uint32
	level    []uint32 // bit sets over sources
	pending  []uint32
	claimed  []uint32
	contexts []context
}

type context struct {
	enable    []uint32
	threshold uint32
	line      bool
}

// New returns a device in its reset state. It panics on sizes that the layout
// has no room for, which are a mistake of the machine's builder.
func New(cfg Config) *Device {
	if cfg.Sources < 2 || cfg.Sources > maxSources || cfg.Contexts < 1 || cfg.Contexts > maxContexts {
		panic("plic: number of sources or contexts out of range")
	}
	words := (cfg.Sources + 31) / 32
	d := &Device{
		cfg: cfg, words: words,
		priority: make([]uint32, cfg.Sources),
		level:    make([]uint32, words), pending: make([]uint32, words), claimed: make([]uint32, words),
		contexts: make([]context, cfg.Contexts),
	}
	for i := range d.contexts {
		d.contexts[i].enable = make([]uint32, words)
	}
	return d
}

// Contexts returns how many contexts there are.
func (d *Device) Contexts() int { return len(d.contexts) }

// Size returns how many bytes of address space n contexts take.
func Size(contexts int) uint64 { return contextBase + uint64(contexts)*contextStride }

// Reset forgets what is pending, claimed, enabled and configured. Lines keep
// their level, and those that are high are pending at once.
func (d *Device) Reset() {
	clear(d.priority)
	clear(d.claimed)
	copy(d.pending, d.level)
	for i := range d.contexts {
		clear(d.contexts[i].enable)
		d.contexts[i].threshold = 0
	}
	d.update()
}

// SetIRQ sets the line of a source. Source 0 and those beyond the last are
// ignored.
func (d *Device) SetIRQ(source int, level bool) {
	if source <= 0 || source >= d.cfg.Sources {
		return
	}
	w, bit := source/32, uint32(1)<<(source%32)
	if !level {
		d.level[w] &^= bit
		return // what is pending stays so until claimed
	}
	d.level[w] |= bit
	if d.claimed[w]&bit == 0 && d.pending[w]&bit == 0 {
		d.pending[w] |= bit
		d.update()
	}
}

// Read returns the register at off. Only aligned words can be read; one that
// does not exist reads as 0. Reading a claim register claims.
func (d *Device) Read(off uint64, size int) (v uint64, ok bool) {
	if size != 4 || off%4 != 0 {
		return 0, false
	}
	switch {
	case off >= contextBase:
		c, reg := int((off-contextBase)/contextStride), off%contextStride
		switch {
		case c >= d.cfg.Contexts:
		case reg == 0:
			v = uint64(d.contexts[c].threshold)
		case reg == 4:
			v = uint64(d.claim(c))
		}
	case off >= enableBase:
		if c, w := d.enableAt(off); c != nil {
			v = uint64(c.enable[w])
		}
	case off >= pendingBase:
		if w := int(off-pendingBase) / 4; w < d.words {
			v = uint64(d.pending[w])
		}
	default:
		if s := int(off-priorityBase) / 4; s < d.cfg.Sources {
			v = uint64(d.priority[s])
		}
	}
	return v, true
}

// Write sets the register at off, as Read reads it. Writing a claim register
// completes. Pending bits are read-only.
func (d *Device) Write(off uint64, size int, v uint64) (ok bool) {
	if size != 4 || off%4 != 0 {
		return false
	}
	switch {
	case off >= contextBase:
		c, reg := int((off-contextBase)/contextStride), off%contextStride
		switch {
		case c >= d.cfg.Contexts:
		case reg == 0:
			d.contexts[c].threshold = uint32(v) & maxPriority
		case reg == 4:
			d.complete(c, uint32(v))
		}
	case off >= enableBase:
		if c, w := d.enableAt(off); c != nil {
			c.enable[w] = uint32(v) & d.existing(w)
		}
	case off >= pendingBase:
	default:
		if s := int(off-priorityBase) / 4; s > 0 && s < d.cfg.Sources {
			d.priority[s] = uint32(v) & maxPriority
		}
	}
	d.update()
	return true
}

// enableAt returns the context and word of an enable register, or nil.
func (d *Device) enableAt(off uint64) (*context, int) {
	c, w := int((off-enableBase)/enableStride), int(off%enableStride)/4
	if c >= d.cfg.Contexts || w >= d.words {
		return nil, 0
	}
	return &d.contexts[c], w
}

// existing is the set of sources in word w that there are.
func (d *Device) existing(w int) uint32 {
	set := ^uint32(0)
	if w == 0 {
		set &^= 1
	}
	if last := d.cfg.Sources - w*32; last < 32 {
		set &= 1<<last - 1
	}
	return set
}

// best returns the source that a context would claim: pending, enabled, of
// the highest priority above zero, lowest number first; 0 if there is none.
// The threshold has no part in it.
func (d *Device) best(c *context) (source, priority uint32) {
	for w := range d.words {
		for set := d.pending[w] & c.enable[w]; set != 0; set &= set - 1 {
			s := uint32(w*32 + bits.TrailingZeros32(set))
			if d.priority[s] > priority {
				source, priority = s, d.priority[s]
			}
		}
	}
	return source, priority
}

func (d *Device) claim(c int) uint32 {
	s, _ := d.best(&d.contexts[c])
	if s != 0 {
		d.pending[s/32] &^= 1 << (s % 32)
		d.claimed[s/32] |= 1 << (s % 32)
	}
	d.update()
	return s
}

// complete reopens the gateway of a source that the context may claim; any
// other number is ignored.
func (d *Device) complete(c int, s uint32) {
	if s >= uint32(d.cfg.Sources) {
		return
	}
	w, bit := s/32, uint32(1)<<(s%32)
	if d.contexts[c].enable[w]&bit == 0 || d.claimed[w]&bit == 0 {
		return
	}
	d.claimed[w] &^= bit
	d.pending[w] |= d.level[w] & bit
}

// update drives every context's line to where it belongs.
func (d *Device) update() {
	for i := range d.contexts {
		c := &d.contexts[i]
		_, priority := d.best(c)
		if level := priority > c.threshold; level != c.line {
			c.line = level
			d.cfg.Output(i, level)
		}
	}
}
