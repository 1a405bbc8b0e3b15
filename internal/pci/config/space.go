// Package config is the configuration space of one PCI function: 256 bytes of
// conventional registers or 4096 of PCI Express, each bit of which is
// read-only, writable or write-one-to-clear for the guest.
//
// Purpose: a core without I/O. It knows registers, not what they do; devices
// look at the space after a guest write and act. Goroutines: none. Locks: none;
// the owner serialises (device emulation runs under the BQL). Nothing blocks
// or allocates after construction.
package config

import "encoding/binary"

// Sizes of a configuration space in bytes (PCI 3.0 §6.1, PCIe 5.0 §7.2).
const (
	SizeConventional = 0x100
	SizeExpress      = 0x1000
)

// Space is one function's configuration space. Make it with New.
type Space struct {
	data  []byte // what a read returns
	wmask []byte // bits that a guest write replaces
	w1c   []byte // bits that a guest write of one clears
	home  []byte // what Reset returns guest-changeable bits to, taken by Seal

	nextCap int // lowest free offset for a conventional capability
	lastExt int // offset of the last extended capability, or 0
}

// firstCapability is where capabilities may begin: behind the 64-byte header.
const firstCapability = 0x40

// New returns a space of size bytes, SizeConventional or SizeExpress, all zero.
// Where no capability will be the guest finds memory, as in QEMU; the rest is
// read-only.
func New(size int) *Space {
	if size != SizeConventional && size != SizeExpress {
		panic("config: a configuration space has 256 or 4096 bytes")
	}
	backing := make([]byte, 4*size)
	s := &Space{
		data:    backing[0*size : 1*size : 1*size],
		wmask:   backing[1*size : 2*size : 2*size],
		w1c:     backing[2*size : 3*size : 3*size],
		home:    backing[3*size:],
		nextCap: firstCapability,
	}
	for i := firstCapability; i < size; i++ {
		s.wmask[i] = 0xff
	}
	return s
}

// Size is the number of bytes in the space.
func (s *Space) Size() int { return len(s.data) }

// AllOnes is what a read of size bytes returns where nothing answers.
func AllOnes(size int) uint32 {
	if size >= 4 {
		return ^uint32(0)
	}
	return 1<<(8*max(size, 0)) - 1
}

// Read returns size (1 to 4) bytes at off, little-endian, as the guest sees
// them. Bytes outside the space read as ones.
func (s *Space) Read(off, size int) uint32 {
	if size == 4 && off >= 0 && off <= len(s.data)-4 {
		return binary.LittleEndian.Uint32(s.data[off:])
	}
	v := uint32(0)
	for i := range min(size, 4) {
		b := byte(0xff)
		if o := off + i; o >= 0 && o < len(s.data) {
			b = s.data[o]
		}
		v |= uint32(b) << (8 * i)
	}
	return v
}

// Write is a guest write of size (1 to 4) bytes at off: writable bits take the
// value, write-one-to-clear bits are cleared where the value has a one, all
// others stay. Bytes outside the space are dropped.
func (s *Space) Write(off int, val uint32, size int) {
	for i := range min(size, 4) {
		o := off + i
		if o < 0 || o >= len(s.data) {
			continue
		}
		b := byte(val >> (8 * i))
		s.data[o] = (s.data[o]&^s.wmask[o] | b&s.wmask[o]) &^ (b & s.w1c[o])
	}
}

// Byte, Word and Long read a register from the device's side.
func (s *Space) Byte(off int) uint8 { return s.data[off] }

// Word reads the 16-bit register at off.
func (s *Space) Word(off int) uint16 { return binary.LittleEndian.Uint16(s.data[off:]) }

// Long reads the 32-bit register at off.
func (s *Space) Long(off int) uint32 { return binary.LittleEndian.Uint32(s.data[off:]) }

// SetByte sets a register from the device's side, past the masks.
func (s *Space) SetByte(off int, v uint8) { s.data[off] = v }

// SetWord sets the 16-bit register at off, past the masks.
func (s *Space) SetWord(off int, v uint16) { binary.LittleEndian.PutUint16(s.data[off:], v) }

// SetLong sets the 32-bit register at off, past the masks.
func (s *Space) SetLong(off int, v uint32) { binary.LittleEndian.PutUint32(s.data[off:], v) }

// AssignWord sets the bits of mask in the 16-bit register at off to on.
func (s *Space) AssignWord(off int, mask uint16, on bool) {
	v := s.Word(off) &^ mask
	if on {
		v |= mask
	}
	s.SetWord(off, v)
}

// AllowByte makes the bits of mask at off writable by the guest.
func (s *Space) AllowByte(off int, mask uint8) { s.wmask[off] |= mask }

// FixByte makes no bit at off writable by the guest.
func (s *Space) FixByte(off int) { s.wmask[off] = 0 }

// FixLong makes no bit of the 32-bit register at off writable by the guest.
func (s *Space) FixLong(off int) { clear(s.wmask[off : off+4]) }

// FixWord makes the bits of mask at off not writable by the guest.
func (s *Space) FixWord(off int, mask uint16) {
	binary.LittleEndian.PutUint16(s.wmask[off:], binary.LittleEndian.Uint16(s.wmask[off:])&^mask)
}

// AllowWord makes the bits of mask at off writable by the guest.
func (s *Space) AllowWord(off int, mask uint16) {
	binary.LittleEndian.PutUint16(s.wmask[off:], binary.LittleEndian.Uint16(s.wmask[off:])|mask)
}

// AllowLong makes the bits of mask at off writable by the guest.
func (s *Space) AllowLong(off int, mask uint32) {
	binary.LittleEndian.PutUint32(s.wmask[off:], binary.LittleEndian.Uint32(s.wmask[off:])|mask)
}

// ClearableWord makes the bits of mask at off write-one-to-clear.
func (s *Space) ClearableWord(off int, mask uint16) {
	binary.LittleEndian.PutUint16(s.w1c[off:], binary.LittleEndian.Uint16(s.w1c[off:])|mask)
}

// ClearableLong makes the bits of mask at off write-one-to-clear.
func (s *Space) ClearableLong(off int, mask uint32) {
	binary.LittleEndian.PutUint32(s.w1c[off:], binary.LittleEndian.Uint32(s.w1c[off:])|mask)
}

// Seal remembers the present contents as the state after a reset. Call it when
// the device has laid out its registers.
func (s *Space) Seal() { copy(s.home, s.data) }

// Reset returns every bit that a guest can change to its value at Seal; bits
// that only the device changes stay.
func (s *Space) Reset() {
	le := binary.LittleEndian
	for i := 0; i < len(s.data); i += 8 { // the size is a multiple
		data, home := s.data[i:i+8], s.home[i:i+8]
		m := le.Uint64(s.wmask[i:i+8]) | le.Uint64(s.w1c[i:i+8])
		le.PutUint64(data, le.Uint64(data)&^m|le.Uint64(home)&m)
	}
}
