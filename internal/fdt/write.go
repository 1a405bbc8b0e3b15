package fdt

import (
	"encoding/binary"
	"fmt"
)

// Parts of the format (Devicetree Specification §5).
const (
	magic      = 0xd00dfeed
	version    = 17
	compatible = 16 // the oldest version whose readers understand ours

	headerSize = 40
	entrySize  = 16 // of the memory reservation block

	tokenBeginNode = 1
	tokenEndNode   = 2
	tokenProp      = 3
	tokenNop       = 4
	tokenEnd       = 9
)

// Bytes returns the tree as an operating system expects it in memory, at an
// address that is a multiple of 8. It fails if names are malformed or
// repeated, or if the tree is larger than MaxSize.
func (t *Tree) Bytes() ([]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	w := writer{offsets: make(map[string]uint32)}
	w.node(t.Root)
	w.cell(tokenEnd)

	reserved := entrySize * (len(t.Reservations) + 1)
	structure := headerSize + reserved
	names := structure + len(w.structure)
	total := names + len(w.names)
	if total > MaxSize {
		return nil, fmt.Errorf("fdt: tree of %d bytes is larger than %d", total, MaxSize)
	}
	out := make([]byte, 0, total)
	for _, v := range []int{magic, total, structure, names, headerSize, version, compatible,
		int(t.BootCPU), len(w.names), len(w.structure)} {
		out = binary.BigEndian.AppendUint32(out, uint32(v))
	}
	for _, r := range append(t.Reservations[:len(t.Reservations):len(t.Reservations)], Reservation{}) {
		out = binary.BigEndian.AppendUint64(out, r.Address)
		out = binary.BigEndian.AppendUint64(out, r.Size)
	}
	out = append(out, w.structure...)
	return append(out, w.names...), nil
}

// writer collects the structure block and the strings block.
type writer struct {
	structure []byte
	names     []byte            // of properties, each ending in NUL
	offsets   map[string]uint32 // where in names
}

func (w *writer) cell(v uint32) { w.structure = binary.BigEndian.AppendUint32(w.structure, v) }

// pad fills up to the next token.
func (w *writer) pad() {
	for len(w.structure)%4 != 0 {
		w.structure = append(w.structure, 0)
	}
}

func (w *writer) node(n *Node) {
	w.cell(tokenBeginNode)
	w.structure = append(append(w.structure, n.Name...), 0)
	w.pad()
	for _, p := range n.Properties {
		w.cell(tokenProp)
		w.cell(uint32(len(p.Value)))
		w.cell(w.name(p.Name))
		w.structure = append(w.structure, p.Value...)
		w.pad()
	}
	for _, c := range n.Children {
		w.node(c)
	}
	w.cell(tokenEndNode)
}

// name returns the offset of s in the strings block; each name is there once.
func (w *writer) name(s string) uint32 {
	at, ok := w.offsets[s]
	if !ok {
		at = uint32(len(w.names))
		w.offsets[s] = at
		w.names = append(append(w.names, s...), 0)
	}
	return at
}
