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

// What the boot ROM begins with: code and its data, then what firmware is told.
const (
	resetSize    = 40
	firmwareSize = 48
)

// bootROM is what a hart executes first: it loads its number, the address of the
// device tree and that of a description for firmware into a0, a1 and a2, where
// firmware and kernels expect them, and jumps to entry. The description is OpenSBI's
// (FW_DYNAMIC, version 2): go on at next, in S-mode.
func bootROM(entry, fdt, next uint64) []byte {
	code := []uint32{
		0x00000297, // auipc t0, 0
		0x02828613, // addi  a2, t0, resetSize
		0xf1402573, // csrr  a0, mhartid
		0x0202b583, // ld    a1, 32(t0)
		0x0182b283, // ld    t0, 24(t0)
		0x00028067, // jr    t0
	}
	const magic, version, supervisor = 0x4942534f, 2, 1
	var v []byte
	for _, w := range code {
		v = binary.LittleEndian.AppendUint32(v, w)
	}
	for _, w := range []uint64{entry, fdt, magic, version, next, supervisor, 0, 0} {
		v = binary.LittleEndian.AppendUint64(v, w)
	}
	return v
}
