package view

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Disassembler knows the machine code of a processor.
type Disassembler struct {
	// Length is the size of an instruction, at most MaxInstruction, by its first
	// two bytes.
	Length func(first uint16) int
	// Line describes the instruction code that stands at addr.
	Line func(addr uint64, code []byte) string
}

// MaxInstruction is the size of the longest instruction.
const MaxInstruction = 8

// afterFault is how far QEMU goes on behind an address that it cannot read: it
// takes the error number (EIO) for the size of an instruction.
const afterFault = 5

// PrintInstructions writes count instructions from addr on, one a line. read fills
// p with what is at an address; where it cannot the line says so.
func PrintInstructions(w io.Writer, count int64, addr uint64, d Disassembler, read func(addr uint64, p []byte) bool) {
	var buf [MaxInstruction]byte
	for ; count > 0; count-- {
		fmt.Fprintf(w, "0x%08x:  ", addr)
		size := afterFault
		if text, n := instruction(addr, buf[:], d, read); n > 0 {
			fmt.Fprintf(w, "%s\n", text)
			size = n
		} else {
			fmt.Fprintf(w, "Address 0x%x is out of bounds.\n\n", addr)
		}
		addr += uint64(size)
	}
}

// instruction describes the one at addr; its size is 0 if it cannot be read.
func instruction(addr uint64, buf []byte, d Disassembler, read func(addr uint64, p []byte) bool) (string, int) {
	if !read(addr, buf[:2]) {
		return "", 0
	}
	n := d.Length(binary.LittleEndian.Uint16(buf))
	for at := 2; at < n; at += 2 { // a halfword is within a page
		if !read(addr+uint64(at), buf[at:at+2]) {
			return "", 0
		}
	}
	return d.Line(addr, buf[:n]), n
}
