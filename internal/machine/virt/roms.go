package virt

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/machine"
)

// ROMs implements [machine.Board].
func (b *Board) ROMs() []machine.ROM {
	list := []machine.ROM{
		{Name: "mrom.reset", Addr: mromBase, Size: resetSize, ReadOnly: true},
		{Name: "mrom.finfo", Addr: mromBase + resetSize, Size: firmwareSize, ReadOnly: true},
	}
	end := uint64(0)
	if b.image != nil {
		end = b.image.End()
		for i, s := range b.image.Segments {
			name := fmt.Sprintf("%s ELF program header segment %d", b.cfg.Kernel, i)
			list = append(list, machine.ROM{Name: name, Addr: s.Addr, Size: s.Size})
		}
	}
	if at, ok := treeAddress(b.cfg.RAM, end, len(b.tree)); ok {
		list = append(list, machine.ROM{Name: "fdt", Addr: at, Size: uint64(len(b.tree))})
	}
	return list
}
