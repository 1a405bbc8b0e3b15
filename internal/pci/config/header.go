package config

// Registers of the standard header (PCI 3.0 §6.1; type 1: PCI-to-PCI Bridge
// 1.2 §3.2), byte offsets.
const (
	RegVendor       = 0x00
	RegDevice       = 0x02
	RegCommand      = 0x04
	RegStatus       = 0x06
	RegRevision     = 0x08
	RegProgIf       = 0x09
	RegClass        = 0x0a // 16 bits: subclass, class
	RegCacheLine    = 0x0c
	RegLatency      = 0x0d
	RegHeaderType   = 0x0e
	RegBAR0         = 0x10
	RegSubVendor    = 0x2c // type 0
	RegSubDevice    = 0x2e // type 0
	RegROM          = 0x30 // type 0
	RegCapabilities = 0x34
	RegIntLine      = 0x3c
	RegIntPin       = 0x3d

	RegPrimaryBus     = 0x18 // type 1 from here on
	RegSecondaryBus   = 0x19
	RegSubordinateBus = 0x1a
	RegSecLatency     = 0x1b
	RegIOBase         = 0x1c
	RegIOLimit        = 0x1d
	RegSecStatus      = 0x1e
	RegMemBase        = 0x20
	RegMemLimit       = 0x22
	RegPrefBase       = 0x24
	RegPrefLimit      = 0x26
	RegPrefBaseHigh   = 0x28
	RegPrefLimitHigh  = 0x2c
	RegBridgeROM      = 0x38
	RegBridgeControl  = 0x3e
)

// Bits of the command register.
const (
	CommandIO          = 0x0001
	CommandMemory      = 0x0002
	CommandMaster      = 0x0004
	CommandParity      = 0x0040
	CommandSERR        = 0x0100
	CommandINTxDisable = 0x0400
)

// Bits of the status register.
const (
	StatusInterrupt    = 0x0008
	StatusCapabilities = 0x0010
	statusErrors       = 0xf900 // W1C: parity, aborts, system error
)

// Header type values and bits.
const (
	HeaderNormal        = 0x00
	HeaderBridge        = 0x01
	HeaderMultifunction = 0x80
)

// Bits of a bridge's window and control registers.
const (
	PrefetchWindow64      = 0x0001 // in both low prefetchable registers
	BridgeControlVGA      = 0x0008
	BridgeControlReset    = 0x0040
	bridgeControlWritable = 0x005f // parity to VGA, and secondary reset
)

// Identity is what a header says about a function and never changes.
type Identity struct {
	Vendor, Device       uint16
	Revision             uint8
	ProgIf               uint8
	Class                uint16 // class code in the high byte, subclass in the low
	SubVendor, SubDevice uint16 // type 0 only
	Pin                  uint8  // 0 none, 1 INTA# to 4 INTD#
}

// InitNormal lays out a type 0 header.
func (s *Space) InitNormal(id Identity) {
	s.initCommon(id, HeaderNormal)
	s.SetWord(RegSubVendor, id.SubVendor)
	s.SetWord(RegSubDevice, id.SubDevice)
}

// InitBridge lays out a type 1 header with a 16-bit I/O window and a 64-bit
// prefetchable window, all windows closed (base above limit).
func (s *Space) InitBridge(id Identity) {
	s.initCommon(id, HeaderBridge)
	for _, r := range []int{RegPrimaryBus, RegSecondaryBus, RegSubordinateBus, RegSecLatency} {
		s.AllowByte(r, 0xff)
	}
	s.AllowByte(RegIOBase, 0xf0)
	s.AllowByte(RegIOLimit, 0xf0)
	for _, r := range []int{RegMemBase, RegMemLimit, RegPrefBase, RegPrefLimit} {
		s.AllowWord(r, 0xfff0)
	}
	s.AllowLong(RegPrefBaseHigh, ^uint32(0))
	s.AllowLong(RegPrefLimitHigh, ^uint32(0))
	s.AllowWord(RegBridgeControl, bridgeControlWritable)
	s.ClearableWord(RegSecStatus, statusErrors)
	s.SetByte(RegIOBase, 0xf0)
	s.SetWord(RegMemBase, 0xfff0)
	s.SetWord(RegPrefBase, 0xfff0|PrefetchWindow64)
	s.SetWord(RegPrefLimit, PrefetchWindow64)
}

func (s *Space) initCommon(id Identity, header uint8) {
	s.SetWord(RegVendor, id.Vendor)
	s.SetWord(RegDevice, id.Device)
	s.SetByte(RegRevision, id.Revision)
	s.SetByte(RegProgIf, id.ProgIf)
	s.SetWord(RegClass, id.Class)
	s.SetByte(RegHeaderType, header)
	s.SetByte(RegIntPin, id.Pin)
	s.AllowWord(RegCommand, CommandIO|CommandMemory|CommandMaster|CommandParity|CommandSERR|CommandINTxDisable)
	s.ClearableWord(RegStatus, statusErrors)
	s.AllowByte(RegCacheLine, 0xff)
	s.AllowByte(RegIntLine, 0xff)
}

// SetMultifunction sets or clears the multi-function bit of the header type.
func (s *Space) SetMultifunction(on bool) {
	h := s.Byte(RegHeaderType) &^ HeaderMultifunction
	if on {
		h |= HeaderMultifunction
	}
	s.SetByte(RegHeaderType, h)
}

// IsBridge says whether the header is of type 1.
func (s *Space) IsBridge() bool {
	return s.Byte(RegHeaderType)&^HeaderMultifunction == HeaderBridge
}
