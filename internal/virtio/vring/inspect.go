package vring

import (
	"encoding/binary"
	"errors"
)

// State is where a queue stands, for people who look for errors.
type State struct {
	Ready               bool
	Size                uint16
	Desc, Avail, Used   uint64 // guest addresses
	InFlight            int
	NextAvail, NextUsed uint16 // indices
	Told                uint16 // used index at the last interrupt, if ToldValid
	ToldValid           bool
}

// State returns where q stands.
func (q *Queue) State() State {
	return State{Ready: q.ready, Size: q.cfg.Size, Desc: q.cfg.Desc, Avail: q.cfg.Avail, Used: q.cfg.Used,
		InFlight: q.inFlight, NextAvail: q.next, NextUsed: q.used, Told: q.told, ToldValid: q.toldValid}
}

// Descriptor is a descriptor as the driver wrote it.
type Descriptor struct {
	Addr                                           uint64
	Len                                            uint32
	Next, Write, Indirect, PackedAvail, PackedUsed bool // flags
}

// Chain is a descriptor chain and the rings' headers as they stand in memory.
type Chain struct {
	Head       uint16
	Descs      []Descriptor
	AvailFlags uint16
	AvailIndex uint16
	UsedFlags  uint16
	UsedIndex  uint16
}

// Errors of Peek.
var (
	ErrNotSetUp = errors.New("the queue is not set up")
	ErrIndirect = errors.New("the indirect table cannot be read")
	ErrMemory   = errors.New("a ring cannot be read")
	ErrPacked   = errors.New("packed queues are not read")
)

// Flags that mark descriptors of packed queues.
const (
	packedAvail = 1 << 7
	packedUsed  = 1 << 15
)

// Peek reads the chain in slot i of the available ring, whatever became of it
// since; what it finds changes nothing, also if it is wrong. A chain that leads
// out of its table, or around in it, is cut short.
func (q *Queue) Peek(i uint16) (Chain, error) {
	if !q.ready {
		return Chain{}, ErrNotSetUp
	}
	if q.cfg.Packed {
		return Chain{}, ErrPacked
	}
	p := peeker{mem: q.mem}
	c := Chain{
		AvailFlags: p.word(q.cfg.Avail + ringFlags), AvailIndex: p.word(q.cfg.Avail + ringIndex),
		UsedFlags: p.word(q.cfg.Used + ringFlags), UsedIndex: p.word(q.cfg.Used + ringIndex),
		Head: p.word(q.cfg.Avail + ringEntries + 2*uint64(i%q.cfg.Size)),
	}
	if p.err != nil {
		return Chain{}, ErrMemory
	}
	table, size, at := q.cfg.Desc, uint32(q.cfg.Size), uint32(c.Head)
	d, next := p.desc(table, at)
	if d.Indirect {
		size = min(d.Len/descSize, MaxSize)
		table, at = d.Addr, 0
		if d, next = p.desc(table, at); p.err != nil || size == 0 {
			return Chain{}, ErrIndirect
		}
	}
	for p.err == nil {
		c.Descs = append(c.Descs, d)
		if at = uint32(next); !d.Next || at >= size || len(c.Descs) >= int(size) {
			break
		}
		d, next = p.desc(table, at)
	}
	return c, nil
}

// peeker reads guest memory until that fails.
type peeker struct {
	mem Memory
	err error
}

func (p *peeker) read(addr uint64, b []byte) {
	if p.err == nil {
		p.err = p.mem.Read(addr, b)
	}
}

func (p *peeker) word(addr uint64) uint16 {
	var b [2]byte
	p.read(addr, b[:])
	return binary.LittleEndian.Uint16(b[:])
}

// desc returns descriptor i of a table and the number of the one behind it.
func (p *peeker) desc(table uint64, i uint32) (d Descriptor, next uint16) {
	var b [descSize]byte
	p.read(table+descSize*uint64(i), b[:])
	flags := binary.LittleEndian.Uint16(b[12:])
	d = Descriptor{Addr: binary.LittleEndian.Uint64(b[:]), Len: binary.LittleEndian.Uint32(b[8:]),
		Next: flags&descNext != 0, Write: flags&descWrite != 0, Indirect: flags&descIndirect != 0,
		PackedAvail: flags&packedAvail != 0, PackedUsed: flags&packedUsed != 0}
	return d, binary.LittleEndian.Uint16(b[14:])
}
