// Package loader puts programs into a machine's memory: ELF executables for
// RV64, RISC-V Linux images and raw bytes.
//
// It is pure: no goroutines, no locks, no files. Its input is not trusted;
// whatever it holds, parsing reads nothing outside it and allocates no more
// than a few bytes per program header.
package loader

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// RAM is where programs go. Slice returns the n bytes at physical address
// addr for writing, or nil if there is no memory for all of them.
type RAM interface {
	Slice(addr, n uint64) []byte
}

// Image is a program to be loaded. Data alias the input of the parser.
type Image struct {
	Entry    uint64
	Segments []Segment
}

// Segment is a part of an Image: Data, and zeros after it up to Size bytes.
type Segment struct {
	Addr uint64
	Size uint64
	Data []byte
}

// Errors that a caller may want to tell from others.
var (
	ErrNotELF   = errors.New("loader: not an ELF file")
	ErrNotLinux = errors.New("loader: not a RISC-V Linux image")
)

// maxSegments bounds the program headers looked at; linkers make fewer than
// ten.
const maxSegments = 128

// Parts of the ELF format (System V ABI, chapters 4 and 5).
const (
	elfHeaderSize  = 64
	progHeaderSize = 56
	elfMagic       = "\x7fELF\x02\x01\x01" // 64 bits, little-endian, version 1
	typeExec       = 2
	typeDyn        = 3
	machineRISCV   = 243
	progLoad       = 1
)

// ParseELF reads a 64-bit little-endian RISC-V executable. Segments lie at
// their physical addresses; an Entry that is a virtual address inside a
// segment is turned into the physical one.
func ParseELF(file []byte) (*Image, error) {
	if len(file) < elfHeaderSize || string(file[:len(elfMagic)]) != elfMagic {
		return nil, ErrNotELF
	}
	le := binary.LittleEndian
	if t := le.Uint16(file[16:]); t != typeExec && t != typeDyn {
		return nil, fmt.Errorf("loader: ELF file of type %d is no executable", t)
	}
	if m := le.Uint16(file[18:]); m != machineRISCV {
		return nil, fmt.Errorf("loader: ELF file is for machine %d, not RISC-V", m)
	}
	entry, table := le.Uint64(file[24:]), le.Uint64(file[32:])
	size, count := uint64(le.Uint16(file[54:])), uint64(le.Uint16(file[56:]))
	if size != progHeaderSize || count == 0 || count > maxSegments {
		return nil, fmt.Errorf("loader: ELF file with %d program headers of %d bytes", count, size)
	}
	headers, ok := part(file, table, count*size)
	if !ok {
		return nil, errors.New("loader: program headers lie outside the ELF file")
	}
	img := &Image{Entry: entry}
	for ; len(headers) > 0; headers = headers[progHeaderSize:] {
		if le.Uint32(headers) != progLoad {
			continue
		}
		offset, vaddr, paddr := le.Uint64(headers[8:]), le.Uint64(headers[16:]), le.Uint64(headers[24:])
		fileSize, memSize := le.Uint64(headers[32:]), le.Uint64(headers[40:])
		if memSize == 0 {
			continue
		}
		data, ok := part(file, offset, fileSize)
		if !ok || fileSize > memSize || paddr+memSize-1 < paddr {
			return nil, fmt.Errorf("loader: segment at %#x is malformed", paddr)
		}
		if entry-vaddr < memSize {
			img.Entry = entry - vaddr + paddr
		}
		img.Segments = append(img.Segments, Segment{Addr: paddr, Size: memSize, Data: data})
	}
	if len(img.Segments) == 0 {
		return nil, errors.New("loader: ELF file has nothing to load")
	}
	return img, nil
}

// part returns n bytes of file at offset.
func part(file []byte, offset, n uint64) ([]byte, bool) {
	size := uint64(len(file))
	if offset > size || n > size-offset {
		return nil, false
	}
	return file[offset:][:n:n], true
}

// Parts of the header of a RISC-V Linux image (Linux,
// Documentation/arch/riscv/boot-image-header.rst).
const (
	linuxHeaderSize = 64
	linuxMagic      = "RSC\x05"
	linuxMagicAt    = 56
)

// ParseLinux reads a Linux kernel in its raw form (arch/riscv/boot/Image) that
// is to be placed in RAM that starts at base. It takes more room than the file
// has bytes, as its header says.
func ParseLinux(file []byte, base uint64) (*Image, error) {
	if len(file) < linuxHeaderSize || string(file[linuxMagicAt:][:4]) != linuxMagic {
		return nil, ErrNotLinux
	}
	offset := binary.LittleEndian.Uint64(file[8:])
	size := max(binary.LittleEndian.Uint64(file[16:]), uint64(len(file)))
	addr := base + offset
	if addr < base || addr+size-1 < addr {
		return nil, errors.New("loader: Linux image with an impossible load offset or size")
	}
	return &Image{Entry: addr, Segments: []Segment{{Addr: addr, Size: size, Data: file}}}, nil
}

// Raw returns an image of plain bytes that starts where it is loaded.
func Raw(file []byte, addr uint64) *Image {
	return &Image{Entry: addr, Segments: []Segment{{Addr: addr, Size: uint64(len(file)), Data: file}}}
}

// End returns the address after the last byte that the image takes.
func (img *Image) End() (end uint64) {
	for _, s := range img.Segments {
		end = max(end, s.Addr+s.Size)
	}
	return end
}

// Load copies the image into ram. If a part of it does not fit, nothing is
// written.
func (img *Image) Load(ram RAM) error {
	places := make([][]byte, len(img.Segments))
	for i, s := range img.Segments {
		if places[i] = ram.Slice(s.Addr, s.Size); places[i] == nil && s.Size != 0 {
			return fmt.Errorf("loader: no RAM for %d bytes at %#x", s.Size, s.Addr)
		}
	}
	for i, s := range img.Segments {
		n := copy(places[i], s.Data)
		clear(places[i][n:])
	}
	return nil
}
