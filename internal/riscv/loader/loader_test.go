package loader

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// ram is 64 KiB at 0x80000000, full of ones.
type ram []byte

const base = 0x8000_0000

func newRAM() ram { return bytes.Repeat([]byte{0xff}, 1<<16) }

func (r ram) Slice(addr, n uint64) []byte {
	if off := addr - base; off <= uint64(len(r)) && n <= uint64(len(r))-off {
		return r[off:][:n]
	}
	return nil
}

type prog struct{ typ, offset, vaddr, paddr, fileSize, memSize uint64 }

// elf builds a file: header, program headers, payload.
func elf(entry uint64, payload string, progs ...prog) []byte {
	le := binary.LittleEndian
	b := make([]byte, elfHeaderSize)
	copy(b, elfMagic)
	le.PutUint16(b[16:], typeExec)
	le.PutUint16(b[18:], machineRISCV)
	le.PutUint64(b[24:], entry)
	le.PutUint64(b[32:], elfHeaderSize)
	le.PutUint16(b[54:], progHeaderSize)
	le.PutUint16(b[56:], uint16(len(progs)))
	for _, p := range progs {
		h := make([]byte, progHeaderSize)
		le.PutUint32(h, uint32(p.typ))
		for i, v := range []uint64{p.offset, p.vaddr, p.paddr, p.fileSize, p.memSize} {
			le.PutUint64(h[8+8*i:], v)
		}
		b = append(b, h...)
	}
	return append(b, payload...)
}

const oneProg = elfHeaderSize + progHeaderSize // where the payload starts

func TestELF(t *testing.T) {
	file := elf(0xffff_0010, "payload!",
		prog{progLoad, oneProg + progHeaderSize, 0xffff_0000, base + 0x100, 8, 32},
		prog{4, 0, 0, 0, 99, 99}) // a note
	img, err := ParseELF(file)
	if err != nil {
		t.Fatal(err)
	}
	if img.Entry != base+0x110 || len(img.Segments) != 1 || img.End() != base+0x120 {
		t.Errorf("%+v", img)
	}
	r := newRAM()
	if err := img.Load(r); err != nil {
		t.Fatal(err)
	}
	want := append([]byte("payload!"), make([]byte, 24)...)
	if !bytes.Equal(r[0x100:0x120], want) || r[0xff] != 0xff || r[0x120] != 0xff {
		t.Errorf("memory is % x", r[0xf8:0x128])
	}
}

func TestBadELF(t *testing.T) {
	good := prog{progLoad, oneProg, base, base, 4, 8}
	with := func(change func(*prog)) []byte {
		p := good
		change(&p)
		return elf(base, "data", p)
	}
	patch := func(off int, v byte) []byte {
		b := elf(base, "data", good)
		b[off] = v
		return b
	}
	for name, file := range map[string][]byte{
		"empty":                   nil,
		"text":                    bytes.Repeat([]byte("#!/bin/sh\n"), 10),
		"32 bits":                 patch(4, 1),
		"big-endian":              patch(5, 2),
		"object file":             patch(16, 1),
		"x86":                     patch(18, 62),
		"headers outside":         patch(32+7, 0x80),
		"odd header size":         patch(54, 55),
		"no headers":              elf(base, ""),
		"nothing to load":         with(func(p *prog) { p.typ = 2 }),
		"data outside":            with(func(p *prog) { p.fileSize, p.memSize = 5, 8 }),
		"offset outside":          with(func(p *prog) { p.offset = 1 << 63 }),
		"offset wraps":            with(func(p *prog) { p.offset, p.fileSize = ^uint64(0), 4 }),
		"file larger than memory": with(func(p *prog) { p.memSize = 3 }),
		"address wraps":           with(func(p *prog) { p.paddr = ^uint64(0) - 2 }),
	} {
		if img, err := ParseELF(file); err == nil {
			t.Errorf("%s: accepted: %+v", name, img)
		}
	}
	if _, err := ParseELF(nil); !errors.Is(err, ErrNotELF) {
		t.Errorf("error %v", err)
	}
}

func TestLoadIsAllOrNothing(t *testing.T) {
	img, err := ParseELF(elf(base, "data",
		prog{progLoad, oneProg + progHeaderSize, base, base, 4, 4},
		prog{progLoad, oneProg + progHeaderSize, base, base + 1<<16 - 2, 4, 4}))
	if err != nil {
		t.Fatal(err)
	}
	r := newRAM()
	if err := img.Load(r); err == nil || !bytes.Equal(r, newRAM()) {
		t.Errorf("error %v, and memory touched: %v", err, !bytes.Equal(r, newRAM()))
	}
}

func TestLinux(t *testing.T) {
	file := make([]byte, 100)
	binary.LittleEndian.PutUint64(file[8:], 0x200)
	binary.LittleEndian.PutUint64(file[16:], 0x1000)
	copy(file[linuxMagicAt:], linuxMagic)
	img, err := ParseLinux(file, base)
	if err != nil {
		t.Fatal(err)
	}
	if img.Entry != base+0x200 || img.End() != base+0x1200 {
		t.Errorf("%+v", img)
	}
	if err := img.Load(newRAM()); err != nil {
		t.Error(err)
	}
	binary.LittleEndian.PutUint64(file[8:], ^uint64(0)) // offset wraps
	if _, err := ParseLinux(file, base); err == nil {
		t.Error("impossible offset accepted")
	}
	if _, err := ParseLinux(make([]byte, 100), base); !errors.Is(err, ErrNotLinux) {
		t.Errorf("error %v", err)
	}
}

func TestRaw(t *testing.T) {
	r := newRAM()
	if err := Raw([]byte("abc"), base+1).Load(r); err != nil || string(r[1:4]) != "abc" || r[4] != 0xff {
		t.Errorf("error %v, memory % x", err, r[:5])
	}
	if err := Raw(make([]byte, 1<<16+1), base).Load(r); err == nil {
		t.Error("a file larger than RAM loads")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(elf(base, "data", prog{progLoad, oneProg, base, base, 4, 8}))
	f.Add([]byte(elfMagic))
	f.Fuzz(func(t *testing.T, file []byte) {
		if img, err := ParseELF(file); err == nil {
			_ = img.Load(newRAM())
		}
		if img, err := ParseLinux(file, base); err == nil {
			_ = img.Load(newRAM())
		}
	})
}
