package fdt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrNotTree says that bytes do not begin like a device tree.
var ErrNotTree = errors.New("fdt: not a flattened device tree")

// Read reads a device tree of format version 17, or of a later one that says
// it is compatible. What follows its end in blob is ignored. Property values
// alias blob. Malformed input gives an error; the memory used stays below a few
// tens of bytes per byte of the tree, whatever it holds.
func Read(blob []byte) (*Tree, error) {
	if len(blob) < headerSize || binary.BigEndian.Uint32(blob) != magic {
		return nil, ErrNotTree
	}
	var h [headerSize / 4]uint32
	for i := range h {
		h[i] = binary.BigEndian.Uint32(blob[4*i:])
	}
	if v, oldest := h[5], h[6]; v < version || oldest > version {
		return nil, fmt.Errorf("fdt: format version %d, compatible with %d, is not supported", v, oldest)
	}
	total := h[1]
	if total < headerSize || total > MaxSize || int(total) > len(blob) {
		return nil, fmt.Errorf("fdt: tree says it has %d bytes", total)
	}
	blob = blob[:total:total]
	structure, okStructure := block(blob, h[2], h[9])
	names, okNames := block(blob, h[3], h[8])
	reserved, okReserved := block(blob, h[4], total-min(h[4], total))
	if !okStructure || !okNames || !okReserved || h[2]%4 != 0 || h[4]%8 != 0 {
		return nil, errors.New("fdt: a block lies outside the tree or is not aligned")
	}
	t := &Tree{BootCPU: h[7]}
	r := reader{rest: structure, names: names}
	var err error
	if t.Reservations, err = readReservations(reserved); err != nil {
		return nil, err
	}
	if t.Root, err = r.tree(); err != nil {
		return nil, err
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	return t, nil
}

// block returns size bytes at offset.
func block(blob []byte, offset, size uint32) ([]byte, bool) {
	total := uint32(len(blob))
	if offset < headerSize || offset > total || size > total-offset {
		return nil, false
	}
	return blob[offset:][:size:size], true
}

func readReservations(b []byte) (list []Reservation, err error) {
	for ; len(b) >= entrySize; b = b[entrySize:] {
		r := Reservation{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}
		if r == (Reservation{}) {
			return list, nil
		}
		list = append(list, r)
	}
	return nil, errors.New("fdt: memory reservations have no end")
}

// errCut says that the structure block ends inside something.
var errCut = errors.New("fdt: structure block ends too early")

// reader takes a structure block apart.
type reader struct {
	rest, names []byte
}

// cell takes a number.
func (r *reader) cell() (uint32, error) {
	b, err := r.take(4)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint32(b), nil
}

// take takes n bytes and the padding after them.
func (r *reader) take(n uint32) ([]byte, error) {
	padded := (uint64(n) + 3) &^ 3
	if padded > uint64(len(r.rest)) {
		return nil, errCut
	}
	b := r.rest[:n:n]
	r.rest = r.rest[padded:]
	return b, nil
}

// tree takes the root with all that is below it, and the end token.
func (r *reader) tree() (root *Node, err error) {
	var open []*Node // from the root to the node that is being read
	for {
		token, err := r.cell()
		if err != nil {
			return nil, err
		}
		switch {
		case token == tokenNop:
		case token == tokenBeginNode && (root == nil || len(open) > 0) && len(open) < maxDepth:
			n := new(Node)
			if n.Name, err = r.nodeName(); err != nil {
				return nil, err
			}
			if root == nil {
				root = n
			} else {
				parent := open[len(open)-1]
				parent.Children = append(parent.Children, n)
			}
			open = append(open, n)
		case token == tokenProp && len(open) > 0 && open[len(open)-1].Children == nil:
			p, err := r.property()
			if err != nil {
				return nil, err
			}
			n := open[len(open)-1]
			n.Properties = append(n.Properties, p)
		case token == tokenEndNode && len(open) > 0:
			open = open[:len(open)-1]
		case token == tokenEnd && root != nil && len(open) == 0:
			return root, nil
		default:
			return nil, fmt.Errorf("fdt: token %#x has no place %d nodes deep", token, len(open))
		}
	}
}

func (r *reader) nodeName() (string, error) {
	name, ok := text(r.rest)
	if !ok {
		return "", errors.New("fdt: node name has no end")
	}
	_, err := r.take(uint32(len(name) + 1))
	return name, err
}

func (r *reader) property() (p Property, err error) {
	size, err := r.cell()
	if err != nil {
		return p, err
	}
	at, err := r.cell()
	if err != nil {
		return p, err
	}
	if p.Value, err = r.take(size); err != nil {
		return p, err
	}
	var ok bool
	if at < uint32(len(r.names)) {
		p.Name, ok = text(r.names[at:])
	}
	if !ok {
		return p, errors.New("fdt: property name has no end")
	}
	return p, nil
}

// text returns the string that b begins with. Names that share bytes of b
// could add up to far more than b has; maxName bounds that.
func text(b []byte) (string, bool) {
	b = b[:min(len(b), maxName+1)]
	end := bytes.IndexByte(b, 0)
	if end < 0 {
		return "", false
	}
	return string(b[:end]), true
}
