package virtio

import (
	"math/bits"

	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/pci/config"
)

// oldMasterStatus is the status that a driver writes before it uses the device;
// drivers of old then forgot to enable bus mastering.
const oldMasterStatus = StatusAcknowledge | StatusDriver

// legacyRegion is the I/O region of the legacy interface.
func (p *PCI) legacyRegion() *mem.Region {
	size := oldHeader + p.core.ConfigSize()
	if p.Vectors > 0 {
		size = oldHeaderMessages + p.core.ConfigSize()
	}
	return p.Platform().Map.IO(p.Dev(), "virtio-pci", 1<<bits.Len(uint(size-1)), &mem.Ops{
		Read: func(off uint64, size uint) (uint64, mem.Result) {
			return p.legacyRead(off, size), mem.OK
		},
		Write: func(off, v uint64, size uint) mem.Result {
			p.legacyWrite(off, v, size)
			return mem.OK
		},
		Impl: mem.Sizes{Min: 1, Max: 4},
	})
}

// header is how long the registers are; the rest is configuration of the kind.
func (p *PCI) header() uint64 {
	if p.Function().MSIX().Enabled() {
		return oldHeaderMessages
	}
	return oldHeader
}

func (p *PCI) legacyRead(off uint64, size uint) uint64 {
	switch n := p.header(); {
	case off >= n:
		return p.core.ReadConfig(off-n, size)
	case off == oldISR:
		return uint64(p.readISR())
	default:
		return p.core.ReadLegacy(off)
	}
}

func (p *PCI) legacyWrite(off, v uint64, size uint) {
	n := p.header()
	if off >= n {
		p.core.WriteConfig(off-n, v, size)
		return
	}
	p.core.WriteLegacy(off, v, int(p.Vectors))
	if off == oldStatus && v == oldMasterStatus {
		f := p.Function()
		f.ConfigWrite(config.RegCommand, uint32(f.Space.Word(config.RegCommand)|config.CommandMaster), 2)
	}
}
