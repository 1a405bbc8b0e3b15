package pci

import "github.com/backplane-vm/backplane/internal/pci/config"

// PCI Express capability (PCIe 5.0 §7.5.3), offsets in it and fields.
const (
	expressSize = 0x3c

	expFlags        = 0x02
	expDevCap       = 0x04
	expDevControl   = 0x08
	expDevStatus    = 0x0a
	expLinkCap      = 0x0c
	expLinkControl  = 0x10
	expLinkStatus   = 0x12
	expSlotCap      = 0x14
	expSlotControl  = 0x18
	expSlotStatus   = 0x1a
	expRootControl  = 0x1c
	expRootStatus   = 0x20
	expDevCap2      = 0x24
	expDevControl2  = 0x28
	expLinkCap2     = 0x2c
	expLinkControl2 = 0x30

	expVersion         = 2
	expSlotImplemented = 0x0100

	devCapRoleBased   = 0x8000
	devCapExtendedTag = 0x0020
	devCapFLR         = 1 << 28
	devControlErrors  = 0x000f
	devControlTag     = 0x0100
	devControlFLR     = 0x8000
	devStatusErrors   = 0x000f
	devCap2ARI        = 0x0020
	devCap2Formats    = 1 << 20 // extended fmt field
	devCap2Prefixes   = 1 << 21 // end-end TLP prefixes
	devControl2Block  = 0x8000  // of those

	linkCapASPM         = 0x0400
	linkCapActive       = 1 << 20 // data link layer active reporting
	linkCapBandwidth    = 1 << 21 // bandwidth notification
	linkStatusActive    = 0x2000
	linkControlCommon   = 0x0040
	linkControlExtended = 0x0080 // extended synch
	linkWidthShift      = 4
	portNumberShift     = 24

	rootControlErrors = 0x0007
	rootStatusPME     = 1 << 16
)

// PortType is what kind of PCI Express function a capability describes
// (PCIe 5.0 §7.5.3.2).
type PortType uint8

// The kinds that exist here.
const (
	Endpoint     PortType = 0x0
	RootPortType PortType = 0x4
)

// LinkSpeed is a link speed as link registers encode it: 1 for 2.5 GT/s, 2 for
// 5 GT/s, up to 6 for 64 GT/s.
type LinkSpeed uint8

// LinkWidth is a number of lanes.
type LinkWidth uint8

// Link is a speed and a width.
type Link struct {
	Speed LinkSpeed
	Width LinkWidth
}

// slowest is the link of an endpoint that says nothing better.
var slowest = Link{Speed: 1, Width: 1}

func (l Link) bits() uint16 { return uint16(l.Speed) | uint16(l.Width)<<linkWidthShift }

// LinkOptions is what a function says of itself in its PCI Express capability.
type LinkOptions struct {
	ExtendedTags bool // takes 8-bit tags
	Active       bool // its port tells of the link being up
	Errors       bool // has a say in which errors it reports
	Control      bool // has a say in clock and synch of its link
	ScratchHead  bool // the first long of extended space is memory if no capability is there
}

// AddExpress gives the function a PCI Express capability. port is the port
// number; a root port also says that it has a slot.
func (f *Function) AddExpress(kind PortType, port uint8, link Link) error {
	s := f.Space
	o, err := s.AddCapability(config.CapExpress, expressSize)
	if err != nil {
		return err
	}
	f.express = o
	s.SetWord(o+expFlags, expVersion|uint16(kind)<<4)
	s.SetLong(o+expDevCap, devCapRoleBased)
	s.SetLong(o+expLinkCap, uint32(link.bits())|linkCapASPM|uint32(port)<<portNumberShift)
	s.SetWord(o+expLinkStatus, link.bits())
	s.SetLong(o+expDevCap2, devCap2Formats|devCap2Prefixes)
	s.AllowWord(o+expDevControl2, devControl2Block)
	f.addLinkOptions(o)
	if link.Speed > 1 {
		s.SetLong(o+expLinkCap2, (1<<link.Speed-1)<<1)
		s.SetWord(o+expLinkControl2, uint16(link.Speed))
	}
	if kind == RootPortType {
		f.initRootPort(o)
	}
	return nil
}

func (f *Function) addLinkOptions(o int) {
	s, opt := f.Space, f.spec.Link
	if opt.ExtendedTags {
		s.SetLong(o+expDevCap, s.Long(o+expDevCap)|devCapExtendedTag)
		s.SetWord(o+expDevControl, devControlTag)
		s.AllowWord(o+expDevControl, devControlTag)
	}
	if opt.Errors {
		s.AllowWord(o+expDevControl, devControlErrors)
		s.ClearableWord(o+expDevStatus, devStatusErrors)
	}
	if opt.Control {
		s.AllowWord(o+expLinkControl, linkControlCommon|linkControlExtended)
	}
	if !opt.ScratchHead {
		s.FixLong(config.SizeConventional)
	}
}

func (f *Function) initRootPort(o int) {
	s := f.Space
	s.SetWord(o+expFlags, s.Word(o+expFlags)|expSlotImplemented)
	link := s.Long(o + expLinkCap)
	if link&0xf > 1 || link>>linkWidthShift&0x3f > 1 {
		link |= linkCapBandwidth
	}
	s.SetLong(o+expLinkCap, link|linkCapActive)
	s.SetLong(o+expDevCap2, s.Long(o+expDevCap2)|devCap2ARI)
	s.AllowWord(o+expDevControl2, devCap2ARI)
	s.AllowWord(o+expRootControl, rootControlErrors)
	s.ClearableLong(o+expRootStatus, rootStatusPME)
}

// AllowFLR lets the guest reset the function alone (PCIe 5.0 §6.6.2). The
// function must have a PCI Express capability.
func (f *Function) AllowFLR() {
	f.Space.SetLong(f.express+expDevCap, f.Space.Long(f.express+expDevCap)|devCapFLR)
}

// flrRequested says whether a write of val at off starts a function-level
// reset. The bit itself always reads as zero, so it is not writable.
func (f *Function) flrRequested(off int, val uint32, size int) bool {
	if f.express == 0 || f.Space.Long(f.express+expDevCap)&devCapFLR == 0 {
		return false
	}
	at := f.express + expDevControl + 1 // the byte with bit 15
	return off <= at && at < off+size && val>>(8*(at-off))&(devControlFLR>>8) != 0
}

// Link is what the function's link status says.
func (f *Function) Link() Link {
	if f.express == 0 {
		return slowest
	}
	v := f.Space.Word(f.express + expLinkStatus)
	return Link{Speed: LinkSpeed(v & 0xf), Width: LinkWidth(v >> linkWidthShift & 0x3f)}
}

// setLink sets link status to l, with the data link layer active or not.
func (f *Function) setLink(l Link, active bool) {
	v := l.bits()
	if active {
		v |= linkStatusActive
	}
	f.Space.SetWord(f.express+expLinkStatus, v)
}

// Power management capability (PCI Power Management 1.2 §3.2).
const (
	pmSize        = 8
	pmCapability  = 2
	pmControl     = 4
	pmVersion     = 3
	pmStateMask   = 0x0003
	pmNoSoftReset = 0x0008
)

// AddPowerManagement gives the function a power management capability. With
// states the guest can choose D0 or D3hot, between which nothing changes but
// the register; keeps says that the function keeps its state across them.
func (f *Function) AddPowerManagement(states, keeps bool) error {
	o, err := f.Space.AddCapability(config.CapPM, pmSize)
	if err != nil {
		return err
	}
	f.Space.SetWord(o+pmCapability, pmVersion)
	if keeps {
		f.Space.SetWord(o+pmControl, pmNoSoftReset)
	}
	if states {
		f.Space.AllowWord(o+pmControl, pmStateMask)
	}
	return nil
}

// Access control services (PCIe 5.0 §7.7.8).
const (
	acsSize    = 8
	acsCap     = 4
	acsControl = 6
	acsPort    = 0x005f // source validation to upstream forwarding, direct translated
)

// addACS gives a port access control services at off of extended space.
func (f *Function) addACS(off int) error {
	o, err := f.Space.AddExtended(config.ExtCapACS, 1, off, acsSize)
	if err != nil {
		return err
	}
	f.Space.SetWord(o+acsCap, acsPort)
	f.Space.AllowWord(o+acsControl, acsPort)
	return nil
}

// Address translation services (PCIe 5.0 §10.5).
const (
	atsSize    = 8
	atsCap     = 4
	atsControl = 6
	atsAligned = 0x0020
	atsEnable  = 0x800f
)

// AddATS gives an endpoint address translation services at off of extended
// space; aligned says that its untranslated addresses are those of pages. There is nothing to translate, so they are registers only.
func (f *Function) AddATS(off int, aligned bool) error {
	o, err := f.Space.AddExtended(config.ExtCapATS, 1, off, atsSize)
	if err != nil {
		return err
	}
	if aligned {
		f.Space.SetWord(o+atsCap, atsAligned)
	}
	f.Space.AllowWord(o+atsControl, atsEnable)
	return nil
}

// addSubsystem gives a bridge, whose header has no room for it, a subsystem id.
func (f *Function) addSubsystem(vendor, device uint16) error {
	o, err := f.Space.AddCapability(config.CapSSVID, 8)
	if err != nil {
		return err
	}
	f.Space.SetWord(o+4, vendor)
	f.Space.SetWord(o+6, device)
	return nil
}
