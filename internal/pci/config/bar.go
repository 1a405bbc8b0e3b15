package config

import "fmt"

// Bits in the low word of a base address register (PCI 3.0 §6.2.5.1).
const (
	BARIO       = 0x1
	BARMem64    = 0x4
	BARPrefetch = 0x8
)

// Unmapped is the address of a base address register or window that decodes
// nothing.
const Unmapped = ^uint64(0)

// BAR describes one base address register. The register's present value is in
// the space; BAR is only its shape.
type BAR struct {
	Index int    // 0 to 5; a 64-bit register also takes Index+1
	Size  uint64 // bytes, a power of two, at least 16 (memory) or 4 (I/O)
	Flags uint8  // BARIO, or BARMem64 and BARPrefetch
}

// IsIO says whether the register decodes I/O space.
func (b BAR) IsIO() bool { return b.Flags&BARIO != 0 }

// Is64 says whether the register is 64 bits wide.
func (b BAR) Is64() bool { return !b.IsIO() && b.Flags&BARMem64 != 0 }

// Prefetchable says whether reads have no side effects.
func (b BAR) Prefetchable() bool { return !b.IsIO() && b.Flags&BARPrefetch != 0 }

func (b BAR) reg() int { return RegBAR0 + 4*b.Index }

// AddBAR lays out a base address register: its type bits read back, and only
// the address bits above its size can be written, which is how a guest sizes it.
func (s *Space) AddBAR(b BAR) error {
	least, last := uint64(16), 5
	if b.IsIO() {
		least = 4
	}
	if s.IsBridge() {
		last = 1
	}
	if b.Is64() {
		last--
	}
	if b.Index < 0 || b.Index > last || b.Size < least || b.Size&(b.Size-1) != 0 ||
		!b.Is64() && b.Size > 1<<31 {
		return fmt.Errorf("BAR %d of size 0x%x is not possible", b.Index, b.Size)
	}
	mask := ^(b.Size - 1)
	s.SetLong(b.reg(), uint32(b.Flags))
	s.AllowLong(b.reg(), uint32(mask))
	if b.Is64() {
		s.AllowLong(b.reg()+4, uint32(mask>>32))
	}
	return nil
}

// Address is where the register decodes now, or Unmapped: decoding of its space
// is off in the command register, or the range wraps. A 32-bit range must also
// end below 4 GiB - 1, which is where a guest that sizes the register (writes
// all ones) puts it for a moment.
func (s *Space) Address(b BAR) uint64 {
	cmd := s.Word(RegCommand)
	if b.IsIO() {
		return s.ioAddress(b, cmd)
	}
	if cmd&CommandMemory == 0 {
		return Unmapped
	}
	addr := uint64(s.Long(b.reg()))
	if b.Is64() {
		addr |= uint64(s.Long(b.reg()+4)) << 32
	}
	addr &^= b.Size - 1
	end := addr + b.Size - 1
	if end < addr || end == Unmapped || !b.Is64() && end >= 0xffffffff {
		return Unmapped
	}
	return addr
}

func (s *Space) ioAddress(b BAR, cmd uint16) uint64 {
	if cmd&CommandIO == 0 {
		return Unmapped
	}
	addr := uint64(s.Long(b.reg())) &^ (b.Size - 1)
	if addr+b.Size-1 >= 0xffffffff {
		return Unmapped
	}
	return addr
}

// Window is an address range, both ends inside it. It is empty when Base is
// above Limit.
type Window struct{ Base, Limit uint64 }

// Empty says whether the window lets nothing through.
func (w Window) Empty() bool { return w.Base > w.Limit }

// IOWindow, MemWindow and PrefWindow are what a type 1 header's registers say,
// whether or not the command register enables forwarding
// (PCI-to-PCI Bridge 1.2 §3.2.5).
func (s *Space) IOWindow() Window {
	return Window{
		Base:  uint64(s.Byte(RegIOBase)&0xf0) << 8,
		Limit: uint64(s.Byte(RegIOLimit)&0xf0)<<8 | 0xfff,
	}
}

// MemWindow is the 32-bit memory window.
func (s *Space) MemWindow() Window {
	return Window{
		Base:  uint64(s.Word(RegMemBase)&0xfff0) << 16,
		Limit: uint64(s.Word(RegMemLimit)&0xfff0)<<16 | 0xfffff,
	}
}

// PrefWindow is the 64-bit prefetchable window.
func (s *Space) PrefWindow() Window {
	return Window{
		Base:  uint64(s.Word(RegPrefBase)&0xfff0)<<16 | uint64(s.Long(RegPrefBaseHigh))<<32,
		Limit: uint64(s.Word(RegPrefLimit)&0xfff0)<<16 | 0xfffff | uint64(s.Long(RegPrefLimitHigh))<<32,
	}
}
