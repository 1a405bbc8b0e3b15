package view

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/backplane-vm/backplane/hmp"
)

// DumpBytes is how much memory a dump in this format shows.
func DumpBytes(f hmp.Format) uint64 { return uint64(max(f.Count, 0)) * uint64(max(f.Size, 0)) }

// PrintMemory writes a dump of DumpBytes(f) bytes from addr on, 16 a line, or 8
// of single bytes. read fills a line's bytes; where it cannot the dump ends.
func PrintMemory(w io.Writer, f hmp.Format, addr uint64, read func(addr uint64, p []byte) bool) {
	perLine, size := 16, f.Size
	if size == 1 {
		perLine = 8
	}
	if f.Kind == 'c' {
		size = 1
	}
	var buf [16]byte
	for left := DumpBytes(f); left > 0; {
		line := buf[:min(left, uint64(perLine))]
		fmt.Fprintf(w, "%016x:", addr)
		if !read(addr, line) {
			fmt.Fprint(w, " Cannot access memory\n")
			return
		}
		for at := 0; at < len(line); at += size {
			fmt.Fprint(w, " ", cell(f.Kind, size, line[at:]))
		}
		fmt.Fprint(w, "\n")
		addr, left = addr+uint64(len(line)), left-uint64(len(line))
	}
}

// cell writes one number of size bytes, as wide as the largest.
func cell(kind byte, size int, p []byte) string {
	var b [8]byte
	copy(b[:], p[:size])
	v := binary.LittleEndian.Uint64(b[:])
	switch bits := size * 8; kind {
	case 'o':
		s := fmt.Sprintf("%#o", v)
		return fmt.Sprintf("%*s", (bits+2)/3, s)
	case 'u', 'd':
		s := fmt.Sprint(v)
		if size == 8 && kind == 'd' {
			s = fmt.Sprint(int64(v))
		}
		return fmt.Sprintf("%*s", (bits*10+32)/33, s)
	case 'c':
		return hmp.FormatNumber('c', int64(v))
	default:
		return fmt.Sprintf("0x%0*x", bits/4, v)
	}
}
