package pci

import (
	"encoding/binary"

	"github.com/backplane-vm/backplane/internal/pci/config"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Reserve is what a port asks firmware to keep free behind it, for devices that
// come later: numbers of buses and bytes of each space. It stands in a
// capability, whose layout is QEMU's, and does nothing else, except that a port
// with no I/O space at all has no window for it.
type Reserve struct {
	Buses  uint32 `qdev:"bus-reserve,uint32,default=4294967295"`
	IO     uint64 `qdev:"io-reserve,size,default=18446744073709551615"`
	Memory uint64 `qdev:"mem-reserve,size,default=18446744073709551615"`
	Pref32 uint64 `qdev:"pref32-reserve,size,default=18446744073709551615"`
	Pref64 uint64 `qdev:"pref64-reserve,size,default=18446744073709551615"`
}

const (
	nothingReserved = ^uint64(0) // firmware decides
	reserveSize     = 32
	reserveType     = 1
	reserveLimit    = 1 << 32

	// hotplugIO is the I/O space that a port asks for if it has hot-plug but
	// does not tell the guest.
	hotplugIO = 4096
)

// addReserve gives a port the capability, if it asks for anything.
func (f *Function) addReserve(r Reserve) error {
	s := f.Space
	if r == (Reserve{^uint32(0), nothingReserved, nothingReserved, nothingReserved, nothingReserved}) {
		return nil
	}
	switch {
	case r.Pref32 != nothingReserved && r.Pref64 != nothingReserved:
		return qerr.New("PCI resource reserve cap: PREF32 and PREF64 conflict")
	case r.Memory != nothingReserved && r.Memory >= reserveLimit:
		return qerr.New("PCI resource reserve cap: mem-reserve must be less than 4G")
	case r.Pref32 != nothingReserved && r.Pref32 >= reserveLimit:
		return qerr.New("PCI resource reserve cap: pref32-reserve  must be less than 4G")
	}
	o, err := s.AddCapability(config.CapVendor, reserveSize)
	if err != nil {
		return err
	}
	b, le := [reserveSize]byte{2: reserveSize, 3: reserveType}, binary.LittleEndian
	le.PutUint32(b[4:], r.Buses)
	le.PutUint64(b[8:], r.IO)
	le.PutUint32(b[16:], uint32(r.Memory))
	le.PutUint32(b[20:], uint32(r.Pref32))
	le.PutUint64(b[24:], r.Pref64)
	for i, v := range b[2:] {
		s.SetByte(o+2+i, v)
	}
	if r.IO == 0 {
		s.FixByte(config.RegIOBase)
		s.FixByte(config.RegIOLimit)
		s.FixWord(config.RegCommand, config.CommandIO)
	}
	return nil
}
