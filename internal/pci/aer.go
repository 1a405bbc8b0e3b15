package pci

import "github.com/backplane-vm/backplane/internal/pci/config"

// Advanced error reporting (PCIe 5.0 §7.8.4). Nothing that is emulated here
// makes errors, so these are registers that a guest sets and reads.
const (
	// AERSize is the size of the capability.
	AERSize = 0x48

	aerVersion     = 2
	aerUncStatus   = 0x04
	aerUncMask     = 0x08
	aerUncSeverity = 0x0c
	aerCorStatus   = 0x10
	aerCorMask     = 0x14
	aerControl     = 0x18
	aerRootCommand = 0x2c
	aerRootStatus  = 0x30

	aerUncAll      = 0x03fff030 // data link protocol errors to blocked TLP prefixes
	aerUncMasked   = 0x02400000 // by default: internal errors, blocked prefixes
	aerUncFatal    = 0x00462030 // by default
	aerCorAll      = 0x0000f1c1
	aerCorMasked   = 0x0000e000 // by default: advisory, internal, log overflow
	aerECRC        = 0x000000a0 // generation and checking are possible
	aerECRCEnable  = 0x00000140
	aerManyLogs    = 0x00000200
	aerManyEnable  = 0x00000400
	aerRootEnables = 0x00000007
	aerRootEvents  = 0x0000007f

	// maxErrorLogs bounds the errors that a port remembers.
	maxErrorLogs = 128
)

// AEROptions is what a function's error reporting can do.
type AEROptions struct {
	Root bool // it is a root port, which collects what others report
	Log  bool // it remembers several errors
	Mask bool // uncorrectable errors can be masked, and some are
}

// AddAER gives the function advanced error reporting at off of extended space.
func (f *Function) AddAER(off int, opt AEROptions) error {
	s := f.Space
	o, err := s.AddExtended(config.ExtCapAER, aerVersion, off, AERSize)
	if err != nil {
		return err
	}
	s.ClearableLong(o+aerUncStatus, aerUncAll)
	if opt.Mask {
		s.SetLong(o+aerUncMask, aerUncMasked)
		s.AllowLong(o+aerUncMask, aerUncAll)
	}
	s.SetLong(o+aerUncSeverity, aerUncFatal)
	s.AllowLong(o+aerUncSeverity, aerUncAll)
	s.ClearableLong(o+aerCorStatus, aerCorAll)
	s.SetLong(o+aerCorMask, aerCorMasked)
	s.AllowLong(o+aerCorMask, aerCorAll)
	control, enable := uint32(aerECRC), uint32(aerECRCEnable)
	if opt.Log {
		control, enable = control|aerManyLogs, enable|aerManyEnable
	}
	s.SetLong(o+aerControl, control)
	s.AllowLong(o+aerControl, enable)
	if opt.Root {
		s.AllowLong(o+aerRootCommand, aerRootEnables)
		s.ClearableLong(o+aerRootStatus, aerRootEvents)
	}
	return nil
}
