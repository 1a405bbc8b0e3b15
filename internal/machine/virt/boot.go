package virt

import (
	"encoding/binary"
	"os"
	"strings"

	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// builtin is the prefix of kernels that backplane carries with it.
const builtin = "builtin:"

// readKernel returns the image that -kernel names.
func readKernel(name string) ([]byte, error) {
	if which, ok := strings.CutPrefix(name, builtin); ok {
		if which != "demo" {
			return nil, qerr.New("could not load kernel '%s'", name).WithHint("The only builtin kernel is builtin:demo.\n")
		}
		return demo.ELF(), nil
	}
	image, err := os.ReadFile(name)
	if err != nil {
		return nil, qerr.New("could not load kernel '%s'", name).WithHint("%v\n", err)
	}
	return image, nil
}

// resetVector is what a hart executes first: it loads its number and the
// address of the device tree into a0 and a1, where firmware and kernels expect
// them, and jumps to entry.
func resetVector(entry, fdt uint64) []byte {
	code := []uint32{
		0x00000297, // auipc t0, 0
		0xf1402573, // csrr  a0, mhartid
		0x0202b583, // ld    a1, 32(t0)
		0x0182b283, // ld    t0, 24(t0)
		0x00028067, // jr    t0
		0x00000013, // nop
	}
	var v []byte
	for _, w := range code {
		v = binary.LittleEndian.AppendUint32(v, w)
	}
	v = binary.LittleEndian.AppendUint64(v, entry)
	return binary.LittleEndian.AppendUint64(v, fdt)
}
