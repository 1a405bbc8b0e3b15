package fdt

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// Source returns the tree in the notation people write (Devicetree
// Specification §6). The format does not say what a value is, so Source
// guesses: strings if it reads like strings, else cells, else bytes. Compiling
// it gives the same tree, but for BootCPU, which the notation cannot say.
func (t *Tree) Source() string {
	var b strings.Builder
	b.WriteString("/dts-v1/;\n\n")
	for _, r := range t.Reservations {
		fmt.Fprintf(&b, "/memreserve/ %#x %#x;\n", r.Address, r.Size)
	}
	if t.Root != nil {
		t.Root.source(&b, "/", "")
	}
	return b.String()
}

func (n *Node) source(b *strings.Builder, name, indent string) {
	fmt.Fprintf(b, "%s%s {\n", indent, name)
	inner := indent + "\t"
	for _, p := range n.Properties {
		fmt.Fprintf(b, "%s%s;\n", inner, p)
	}
	for i, c := range n.Children {
		if i > 0 || len(n.Properties) > 0 {
			b.WriteByte('\n')
		}
		c.source(b, c.Name, inner)
	}
	b.WriteString(indent + "};\n")
}

// String returns the property as Source has it. Different properties look
// different.
func (p Property) String() string {
	if len(p.Value) == 0 {
		return p.Name
	}
	return p.Name + " = " + p.value()
}

// value shows a value that is not empty.
func (p Property) value() string {
	if list, ok := p.strings(); ok {
		for i, s := range list {
			list[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
		}
		return strings.Join(list, ", ")
	}
	if len(p.Value)%4 == 0 {
		var cells []string
		for v := p.Value; len(v) > 0; v = v[4:] {
			cells = append(cells, fmt.Sprintf("%#x", binary.BigEndian.Uint32(v)))
		}
		return "<" + strings.Join(cells, " ") + ">"
	}
	return fmt.Sprintf("[% x]", p.Value)
}

// strings splits a value into strings, if it can be a list of them: printable
// ASCII, none empty, each with a NUL behind it.
func (p Property) strings() ([]string, bool) {
	body, ok := strings.CutSuffix(string(p.Value), "\x00")
	list := strings.Split(body, "\x00")
	for _, s := range list {
		ok = ok && s != "" && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) < 0
	}
	return list, ok
}
