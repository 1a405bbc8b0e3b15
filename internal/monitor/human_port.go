package monitor

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
)

// humanPorts are the human commands for I/O ports, of which RISC-V has none (those
// of PCI are memory), and for where the guest's memory is.
func (h *handlers) humanPorts() hmp.Handlers[*coro.Co] {
	return hmp.Handlers[*coro.Co]{
		"i":       {Run: humanPortRead},
		"o":       {Run: func(*hmp.Call, *hmp.Args) error { return nil }},
		"gpa2hva": {Run: h.humanGPA2HVA},
	}
}

// ioPorts is how many I/O ports there could be; higher addresses wrap.
const ioPorts = 1 << 16

// humanPortRead is i. Where no device answers all bits are one. QEMU reads sizes
// that it does not know as a byte, but shows them as wide as asked.
func humanPortRead(call *hmp.Call, args *hmp.Args) error {
	port, size := args.Int("addr")%ioPorts, args.Format("fmt").Size
	if args.Has("index") {
		port++
	}
	suffix, value := byte('b'), uint64(0xff)
	switch size {
	case 2:
		suffix, value = 'w', 0xffff
	case 4:
		suffix, value = 'l', 0xffffffff
	}
	call.Printf("port%c[0x%04x] = 0x%0*x\n", suffix, port, max(2*size, 0), value)
	return nil
}

// humanGPA2HVA tells where a guest's memory is in this process.
func (h *handlers) humanGPA2HVA(call *hmp.Call, args *hmp.Args) error {
	addr := uint64(args.Int("addr"))
	r := h.m.System.Flat().Find(addr)
	switch {
	case r == nil:
		call.Printf("No memory is mapped at address %#x\n", addr)
	case r.Region.Bytes() == nil:
		call.Printf("Memory at address %#x is not RAM\n", addr)
	default:
		host := &r.Region.Bytes()[addr-r.First+r.Offset]
		call.Printf("Host virtual address for %#x (%s) is %p\n", addr, r.Region.Name(), host)
	}
	return nil
}
