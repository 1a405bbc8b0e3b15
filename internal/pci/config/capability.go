package config

import "fmt"

// Conventional capability ids (PCI Code and ID Assignment §2).
const (
	CapPM      = 0x01
	CapMSI     = 0x05
	CapVendor  = 0x09
	CapSSVID   = 0x0d
	CapExpress = 0x10
	CapMSIX    = 0x11
)

// Extended capability ids (PCI Code and ID Assignment §3).
const (
	ExtCapAER = 0x0001
	ExtCapACS = 0x000d
	ExtCapATS = 0x000f
)

// firstExtended is where the extended capability list starts.
const firstExtended = SizeConventional

// AddCapability puts a capability of size bytes at the lowest free offset and
// at the head of the list, and returns that offset. Header bytes (id, next) are
// filled in; the rest is zero and read-only. It fails when the 256 bytes are
// full.
func (s *Space) AddCapability(id uint8, size int) (int, error) {
	return s.AddCapabilityAt(id, s.nextCap, size)
}

// AddCapabilityAt is AddCapability at a fixed, 4-byte aligned offset, which
// must not be below a capability added earlier.
func (s *Space) AddCapabilityAt(id uint8, off, size int) (int, error) {
	if off < s.nextCap || off%4 != 0 || size < 2 || off+size > SizeConventional {
		return 0, fmt.Errorf("capability 0x%02x of %d bytes does not fit at 0x%02x", id, size, off)
	}
	clear(s.wmask[off : off+size])
	s.SetByte(off, id)
	s.SetByte(off+1, s.Byte(RegCapabilities))
	s.SetByte(RegCapabilities, uint8(off))
	s.AssignWord(RegStatus, StatusCapabilities, true)
	s.nextCap = (off + size + 3) &^ 3
	return off, nil
}

// AddExtended appends an extended capability of size bytes at off, 4-byte
// aligned; the first one must be at 0x100 (PCIe 5.0 §7.6).
func (s *Space) AddExtended(id uint16, version uint8, off, size int) (int, error) {
	first := s.lastExt == 0
	switch {
	case s.Size() != SizeExpress, off%4 != 0, size < 4, off+size > s.Size(),
		first && off != firstExtended, !first && off <= s.lastExt:
		return 0, fmt.Errorf("extended capability 0x%04x of %d bytes does not fit at 0x%03x", id, size, off)
	}
	clear(s.wmask[off : off+size])
	s.SetLong(off, uint32(id)|uint32(version&0xf)<<16)
	if !first {
		s.SetLong(s.lastExt, s.Long(s.lastExt)|uint32(off)<<20)
	}
	s.lastExt = off
	return off, nil
}

// FindCapability returns the offset of the first capability with that id, or 0.
// It walks at most as many links as fit, so a damaged list cannot hang it.
func (s *Space) FindCapability(id uint8) int {
	if s.Word(RegStatus)&StatusCapabilities == 0 {
		return 0
	}
	off := int(s.Byte(RegCapabilities))
	for range SizeConventional / 4 {
		off &^= 3
		if off < firstCapability {
			return 0
		}
		if s.Byte(off) == id {
			return off
		}
		off = int(s.Byte(off + 1))
	}
	return 0
}
