package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// RAMBlock is a memory of the machine.
type RAMBlock struct {
	Name     string
	Size     uint64
	ReadOnly bool
	Host     *byte // where it begins in this process; its address is shown
}

// ramAlign is what places in the space of all memories are multiples of.
const ramAlign = 256 << 10

// PrintRAMBlocks writes a table of the memories, the largest first, with the
// places that they have in a space in which they lie one behind the other.
func PrintRAMBlocks(w io.Writer, blocks []RAMBlock) {
	slices.SortStableFunc(blocks, func(a, b RAMBlock) int { return cmp.Compare(b.Size, a.Size) })
	fmt.Fprintf(w, "%24s %8s  %18s %18s %18s %18s %3s\n", "Block Name", "PSize", "Offset", "Used", "Total", "HVA", "RO")
	at := uint64(0)
	for _, b := range blocks {
		access := "rw"
		if b.ReadOnly {
			access = "ro"
		}
		host := strings.TrimPrefix(fmt.Sprintf("%p", b.Host), "0x")
		fmt.Fprintf(w, "%24s %8s  0x%016x 0x%016x 0x%016x 0x%016s %3s\n", b.Name, "4 KiB", at, b.Size, b.Size, host, access)
		at = (at + b.Size + ramAlign - 1) &^ (ramAlign - 1)
	}
}
