package pci

import (
	"fmt"
	"math/bits"

	"github.com/backplane-vm/backplane/internal/pci/config"
)

// MSI registers (PCIe 5.0 §7.7.1), in the layout with 64-bit addresses and
// per-vector masks.
const (
	msiCapSize     = 24
	msiControl     = 2
	msiAddress     = 4
	msiAddressHigh = 8
	msiData        = 12
	msiMask        = 16
	msiPending     = 20

	msiEnable       = 0x0001
	msiCapableShift = 1
	msiEnabledShift = 4
	msiCountField   = 0x7
	msi64           = 0x0080
	msiMaskable     = 0x0100
	msiMaxVectors   = 32
)

// MSI is message-signalled interrupts in their first form: one address, and data
// that differs in its low bits only. No model of QEMU's that exists here has
// it; ports and virtio use MSI-X.
type MSI struct {
	f       *Function
	offset  int // of the capability
	vectors int
}

// AddMSI gives the function the capability for vectors messages, a power of two
// up to 32.
func (f *Function) AddMSI(vectors int) error {
	if vectors < 1 || vectors > msiMaxVectors || vectors&(vectors-1) != 0 {
		return fmt.Errorf("%d MSI vectors are not possible", vectors)
	}
	o, err := f.Space.AddCapability(config.CapMSI, msiCapSize)
	if err != nil {
		return err
	}
	log := uint16(bits.TrailingZeros(uint(vectors)))
	f.Space.SetWord(o+msiControl, log<<msiCapableShift|msi64|msiMaskable)
	f.Space.AllowWord(o+msiControl, msiEnable|msiCountField<<msiEnabledShift)
	f.Space.AllowLong(o+msiAddress, ^uint32(3))
	f.Space.AllowLong(o+msiAddressHigh, ^uint32(0))
	f.Space.AllowWord(o+msiData, 0xffff)
	f.Space.AllowLong(o+msiMask, uint32(1<<vectors-1))
	f.msi = &MSI{f: f, offset: o, vectors: vectors}
	return nil
}

// MSI is the function's MSI part, or nil.
func (f *Function) MSI() *MSI { return f.msi }

// Enabled says whether the guest uses messages instead of the pin. A nil MSI is
// not enabled.
func (m *MSI) Enabled() bool {
	return m != nil && m.f.Space.Word(m.offset+msiControl)&msiEnable != 0
}

// granted is how many messages the guest lets the function tell apart.
func (m *MSI) granted() int {
	log := m.f.Space.Word(m.offset+msiControl) >> msiEnabledShift & msiCountField
	return min(1<<log, m.vectors)
}

// Notify sends vector v, or remembers it while it is masked; with fewer messages
// granted than there are vectors, several share one.
func (m *MSI) Notify(v int) {
	if !m.Enabled() || v < 0 || v >= m.vectors {
		return
	}
	s, n := m.f.Space, m.granted()
	v %= n
	pending := s.Long(m.offset+msiPending) &^ (1 << v)
	if s.Long(m.offset+msiMask)&(1<<v) != 0 {
		s.SetLong(m.offset+msiPending, pending|1<<v)
		return
	}
	s.SetLong(m.offset+msiPending, pending)
	addr := uint64(s.Long(m.offset+msiAddress)) | uint64(s.Long(m.offset+msiAddressHigh))<<32
	m.f.sendMessage(addr, uint32(s.Word(m.offset+msiData))&^uint32(n-1)|uint32(v))
}

// written sends what a write of the capability set free.
func (m *MSI) written() {
	s := m.f.Space
	for v := range m.vectors {
		pending := s.Long(m.offset + msiPending)
		if m.Enabled() && pending&^s.Long(m.offset+msiMask)&(1<<v) != 0 {
			s.SetLong(m.offset+msiPending, pending&^(1<<v))
			m.Notify(v)
		}
	}
}

// reset forgets what is pending; the rest is the configuration space's.
func (m *MSI) reset() { m.f.Space.SetLong(m.offset+msiPending, 0) }
