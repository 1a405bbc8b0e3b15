package mem

import (
	"encoding/binary"

	"github.com/backplane-vm/backplane/internal/sched"
)

// An Access is how a vCPU goes through address spaces: its identity, and what
// it found last. One per vCPU thread, for its use alone.
type Access struct {
	thread *sched.Thread
	flat   *FlatView // hit is of this view
	hit    *Range
}

// NewAccess returns the Access of thread t.
func NewAccess(t *sched.Thread) *Access { return &Access{thread: t} }

// find returns the range of f that contains addr, or nil.
func (a *Access) find(f *FlatView, addr uint64) *Range {
	if f == a.flat && a.hit.First <= addr && addr <= a.hit.Last {
		return a.hit
	}
	r := f.Find(addr)
	if r != nil {
		a.flat, a.hit = f, r
	}
	return r
}

// Read makes one access of size (1, 2, 4 or 8) bytes at addr for a vCPU, which
// is inside an RCU read section. It takes the BQL around the callbacks of an
// I/O region, unless the thread holds it or the region is lockless, and so may
// block; it looks again after the wait, so that what is called is what is
// mapped now.
func (as *AddressSpace) Read(a *Access, addr uint64, size uint) (uint64, Result) {
	f := as.Flat()
	r := a.find(f, addr)
	if r == nil {
		return 0, DecodeError
	}
	if r.Last-addr < uint64(size)-1 {
		return as.readBytes(a, addr, size)
	}
	reg, off := r.Region, addr-r.First+r.Offset
	if reg.ram != nil {
		return load(reg.ram[off:], size), OK
	}
	if reg.ops.Lockless {
		return as.m.ioRead(reg, off, size)
	}
	if as.m.bql.HeldBy(a.thread) {
		return as.m.ioRead(reg, off, size)
	}
	as.m.bql.Lock(a.thread, reg.name)
	if as.Flat() != f {
		as.m.bql.Unlock(a.thread)
		return as.Read(a, addr, size)
	}
	v, res := as.m.ioRead(reg, off, size)
	as.m.bql.Unlock(a.thread)
	return v, res
}

// Write is the counterpart of [AddressSpace.Read]. Writes to ROM are ignored.
func (as *AddressSpace) Write(a *Access, addr, v uint64, size uint) Result {
	f := as.Flat()
	r := a.find(f, addr)
	if r == nil {
		return DecodeError
	}
	if r.Last-addr < uint64(size)-1 {
		return as.writeBytes(a, addr, v, size)
	}
	reg, off := r.Region, addr-r.First+r.Offset
	if reg.ram != nil {
		if reg.kind == RAM {
			store(reg.ram[off:], v, size)
		}
		return OK
	}
	if reg.ops.Lockless {
		return as.m.ioWrite(reg, off, v, size)
	}
	if as.m.bql.HeldBy(a.thread) {
		return as.m.ioWrite(reg, off, v, size)
	}
	as.m.bql.Lock(a.thread, reg.name)
	if as.Flat() != f {
		as.m.bql.Unlock(a.thread)
		return as.Write(a, addr, v, size)
	}
	res := as.m.ioWrite(reg, off, v, size)
	as.m.bql.Unlock(a.thread)
	return res
}

// readBytes makes an access that crosses from one range to the next.
func (as *AddressSpace) readBytes(a *Access, addr uint64, size uint) (v uint64, res Result) {
	for i := uint(0); i < size; i++ {
		b, r := as.Read(a, addr+uint64(i), 1)
		v |= b << (8 * i)
		res = max(res, r)
	}
	return v, res
}

func (as *AddressSpace) writeBytes(a *Access, addr, v uint64, size uint) (res Result) {
	for i := uint(0); i < size; i++ {
		res = max(res, as.Write(a, addr+uint64(i), v>>(8*i)&0xff, 1))
	}
	return res
}

// ioRead makes an access to an I/O region, guarded against re-entry.
func (m *Map) ioRead(r *Region, off uint64, size uint) (uint64, Result) {
	if !r.ops.accepts(off, size, false) {
		return 0, DecodeError
	}
	g, ok := m.enter(r, off)
	if !ok {
		return 0, AccessError
	}
	if r.ops.Lockless {
		defer g.leave()
		return r.ops.read(off, size)
	}
	m.bql.EnterDevice(r.name)
	v, res := r.ops.read(off, size)
	m.bql.LeaveDevice()
	g.leave()
	return v, res
}

func (m *Map) ioWrite(r *Region, off, v uint64, size uint) Result {
	if !r.ops.accepts(off, size, true) {
		return DecodeError
	}
	g, ok := m.enter(r, off)
	if !ok {
		return AccessError
	}
	if r.ops.Lockless {
		defer g.leave()
		return r.ops.write(off, v, size)
	}
	m.bql.EnterDevice(r.name)
	res := r.ops.write(off, v, size)
	m.bql.LeaveDevice()
	g.leave()
	return res
}

func load(p []byte, size uint) uint64 {
	switch size {
	case 1:
		return uint64(p[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(p))
	case 4:
		return uint64(binary.LittleEndian.Uint32(p))
	}
	return binary.LittleEndian.Uint64(p)
}

func store(p []byte, v uint64, size uint) {
	switch size {
	case 1:
		p[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(p, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(p, uint32(v))
	default:
		binary.LittleEndian.PutUint64(p, v)
	}
}
