package machine

import "github.com/backplane-vm/backplane/internal/pci"

// A Board is what a machine's kind adds to it, as far as queries ask.
type Board interface {
	// Type is the name of the machine's kind ("virt").
	Type() string
	// RAMSize is the size of main memory in bytes.
	RAMSize() uint64
	// DeviceTree returns the flattened device tree that the guest was given;
	// the caller must not change it.
	DeviceTree() []byte
	// PCI returns the roots of the PCI hierarchies.
	PCI() []*pci.Host
	// ROMs returns what the board has put into memory for the guest to start with,
	// by address. The caller holds the BQL.
	ROMs() []ROM
}

// ROM is something that the board puts into memory at each reset: boot code, a
// kernel, the device tree.
type ROM struct {
	Name       string
	Addr, Size uint64
	ReadOnly   bool // to the guest
}
