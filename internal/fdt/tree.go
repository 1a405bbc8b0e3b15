// Package fdt writes and reads flattened device trees: the description of its
// hardware that firmware hands to an operating system (Devicetree
// Specification v0.4, chapter 5; version 17 of the format).
//
// A [Tree] is built node by node and turned into bytes by [Tree.Bytes]; [Read]
// does the reverse, and trusts nothing it reads. [Tree.Source] shows a tree to
// people.
//
// The package is pure: no goroutines, no locks, no I/O. Nothing blocks. A Tree
// belongs to whoever made it and may be used from one goroutine at a time.
package fdt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// Tree is a device tree.
type Tree struct {
	Root         *Node         // its Name is empty
	Reservations []Reservation // memory that the guest must leave alone
	BootCPU      uint32        // the reg of the CPU that boots
}

// Reservation is a range of physical memory, in bytes. It is not empty.
type Reservation struct{ Address, Size uint64 }

// Node is a device, a bus or a group of them. The names of its children differ
// from each other, and so do those of its properties.
type Node struct {
	Name       string // with the unit address: serial@10000000
	Properties []Property
	Children   []*Node
}

// Property is a named value: big-endian cells, strings that end in NUL, or
// bytes.
type Property struct {
	Name  string
	Value []byte
}

// New returns a tree of nothing but a root.
func New() *Tree { return &Tree{Root: new(Node)} }

// Add appends a child to n and returns it.
func (n *Node) Add(name string) *Node {
	child := &Node{Name: name}
	n.Children = append(n.Children, child)
	return child
}

// Bytes adds a property whose value is v as it is; n keeps v. Without v it is
// one that says something by being there.
func (n *Node) Bytes(name string, v ...byte) {
	n.Properties = append(n.Properties, Property{name, v})
}

// Cells adds a property of 32-bit numbers; phandles are such numbers too.
func (n *Node) Cells(name string, v ...uint32) {
	b := make([]byte, 0, 4*len(v))
	for _, c := range v {
		b = binary.BigEndian.AppendUint32(b, c)
	}
	n.Bytes(name, b...)
}

// Pairs adds a property of 64-bit numbers, two cells each: what reg is made of
// where #address-cells and #size-cells are 2.
func (n *Node) Pairs(name string, v ...uint64) {
	b := make([]byte, 0, 8*len(v))
	for _, c := range v {
		b = binary.BigEndian.AppendUint64(b, c)
	}
	n.Bytes(name, b...)
}

// Strings adds a property that is a string, or a list of them. A NUL inside
// one would end it early; the caller sees to it that there is none.
func (n *Node) Strings(name string, v ...string) {
	var b []byte
	for _, s := range v {
		b = append(append(b, s...), 0)
	}
	n.Bytes(name, b...)
}

// Find returns the node at path, which is relative to n and has names as they
// are, with unit addresses: "soc/serial@10000000". The empty path is n itself.
// It returns nil if there is none.
func (n *Node) Find(path string) *Node {
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if name == "" {
			return n
		}
		var next *Node
		for _, c := range n.Children {
			if c.Name == name {
				next = c
			}
		}
		if n = next; n == nil {
			return nil
		}
	}
	return n
}

// Get returns the value of a property, and whether n has it. The caller must
// not change it.
func (n *Node) Get(name string) ([]byte, bool) {
	for _, p := range n.Properties {
		if p.Name == name {
			return p.Value, true
		}
	}
	return nil, false
}

// Bounds of what is written and read.
const (
	// MaxSize is the size of the largest tree in bytes: Linux on riscv64 maps
	// no more of it.
	MaxSize = 2 << 20
	// maxDepth is how deep nodes nest: the root is 1 deep, real trees stay
	// below ten.
	maxDepth = 64
	// maxName is the length of the longest name. The specification allows 31
	// (§2.2.1, §2.2.4.1), which some trees in use exceed.
	maxName = 255
)

// check says what is wrong with the tree. What Read returns and what Bytes
// takes has passed it.
func (t *Tree) check() error {
	for _, r := range t.Reservations {
		if r.Size == 0 || r.Address+(r.Size-1) < r.Address {
			return fmt.Errorf("fdt: impossible reservation of %#x bytes at %#x", r.Size, r.Address)
		}
	}
	if t.Root == nil || t.Root.Name != "" {
		return errors.New("fdt: root node is missing or has a name")
	}
	return t.Root.check(1)
}

func (n *Node) check(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("fdt: nodes nest more than %d deep", maxDepth)
	}
	seen := make(map[string]bool, max(len(n.Properties), len(n.Children)))
	for _, p := range n.Properties {
		if !validName(p.Name) || seen[p.Name] {
			return fmt.Errorf("fdt: bad or repeated property name %q in node %q", p.Name, n.Name)
		}
		seen[p.Name] = true
	}
	clear(seen)
	for _, c := range n.Children {
		if !validName(c.Name) || seen[c.Name] {
			return fmt.Errorf("fdt: bad or repeated node name %q in node %q", c.Name, n.Name)
		}
		seen[c.Name] = true
		if err := c.check(depth + 1); err != nil {
			return err
		}
	}
	return nil
}

// validName reports whether s may name a node or a property. The characters
// are those of the specification's tables 2.1 and 2.2, in one set.
func validName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case strings.IndexByte(",._+-@?#", c) >= 0:
		default:
			return false
		}
	}
	return true
}
