package virtiotest

import "encoding/binary"

// Driver is a guest's driver of one queue, of 128 entries, of a virtio device on
// PCI.
type Driver struct {
	Function
	// Features are those below 32 that Start accepts if they are offered.
	Features uint64

	common, status, isr, config, notify uint64

	index           int    // of the queue
	ports           uint64 // the legacy interface, if that is what it uses
	queue           uint64 // where its rings are
	size            uint16 // entries
	availAt, usedAt uint64 // from queue on
	avail           uint16
}

// dataAt is where rings end, from the driver's own memory on.
const dataAt = 0x4000

// Probe maps the device behind a port that was opened with the same n, and finds
// its structures.
func (f Function) Probe(n int) *Driver {
	f.b.T.Helper()
	f.Write(0x14, uint32(LowMMIO+n<<20), 4)
	f.Write(0x20, uint32(n<<20), 4)
	f.Write(0x24, HighMMIO>>32, 4)
	f.Write(0x04, 6, 2)
	bar := uint64(HighMMIO) + uint64(n)<<20
	d := &Driver{Function: f, Features: usual, queue: RAM + 0x10000, size: 128, availAt: 0x800, usedAt: 0x1000}
	for i := 0; ; i++ {
		c := f.Capability(9, i)
		if c == 0 {
			break
		}
		at := bar + uint64(f.Read(c+8, 4))
		switch f.Read(c+3, 1) {
		case 1:
			d.common, d.status = at, at+0x14
		case 2:
			d.notify = at
		case 3:
			d.isr = at
		case 4:
			d.config = at
		}
	}
	if d.common == 0 || d.notify == 0 || d.isr == 0 || d.config == 0 {
		f.b.T.Fatal("a structure has no capability")
	}
	return d
}

// Common reads a register of the common configuration.
func (d *Driver) Common(reg uint64, n int) uint64 { return d.b.Read(d.common+reg, n) }

// SetCommon writes a register of the common configuration.
func (d *Driver) SetCommon(reg, v uint64, n int) { d.b.Write(d.common+reg, v, n) }

// Config reads n bytes of the device's configuration.
func (d *Driver) Config(off uint64, n int) uint64 { return d.b.Read(d.config+off, n) }

// SetConfig writes n bytes of the device's configuration.
func (d *Driver) SetConfig(off, v uint64, n int) { d.b.Write(d.config+off, v, n) }

// ISR reads, and so clears, the interrupt status.
func (d *Driver) ISR() uint64 { return d.b.Read(d.isr, 1) }

// Status is the device status.
func (d *Driver) Status() uint64 { return d.b.Read(d.status, 1) }

// SetStatus writes the device status.
func (d *Driver) SetStatus(v uint64) { d.b.Write(d.status, v, 1) }

// usual is INDIRECT_DESC and a disk's flushes.
const usual = 1<<28 | 1<<9

// Start initialises the device with the queue and, unless the interface is
// legacy, the feature VERSION_1.
func (d *Driver) Start() {
	d.b.T.Helper()
	if d.ports != 0 {
		d.startLegacy()
		return
	}
	d.SetCommon(0x14, 0, 1)
	d.SetCommon(0x14, 3, 1)
	d.SetCommon(0x00, 0, 4)
	d.SetCommon(0x08, 0, 4)
	d.SetCommon(0x0c, d.Common(0x04, 4)&d.Features, 4)
	d.SetCommon(0x08, 1, 4)
	d.SetCommon(0x0c, 1, 4)
	d.SetCommon(0x14, 0xb, 1)
	if d.Status() != 0xb {
		d.b.T.Fatalf("features refused, status %#x", d.Status())
	}
	d.Enable()
	d.SetCommon(0x14, 0xf, 1)
}

// Also returns a driver of another queue of the same device, with memory of its
// own. Enable or, for the legacy interface, Place sets the queue up.
func (d *Driver) Also(index int) *Driver {
	e := *d
	e.index, e.queue = index, RAM+0x100000+uint64(index)<<16
	return &e
}

// Enable sets the queue up anew.
func (d *Driver) Enable() {
	d.avail = 0
	d.b.Put(d.queue, make([]byte, dataAt))
	d.SetCommon(0x16, uint64(d.index), 2)
	d.SetCommon(0x18, uint64(d.size), 2)
	d.SetCommon(0x20, d.queue, 8)
	d.SetCommon(0x28, d.queue+d.availAt, 8)
	d.SetCommon(0x30, d.queue+d.usedAt, 8)
	d.SetCommon(0x1c, 1, 2)
}

// Buffer is a piece of a chain.
type Buffer struct {
	At       uint64
	Len      int
	Writable bool
}

// Offer makes a chain of buffers from descriptor first on available, without
// telling the device.
func (d *Driver) Offer(first int, chain ...Buffer) {
	for i, c := range chain {
		var p [16]byte
		binary.LittleEndian.PutUint64(p[0:], c.At)
		binary.LittleEndian.PutUint32(p[8:], uint32(c.Len))
		flags := uint16(0)
		if c.Writable {
			flags |= 2
		}
		if i+1 < len(chain) {
			flags |= 1
		}
		binary.LittleEndian.PutUint16(p[12:], flags)
		binary.LittleEndian.PutUint16(p[14:], uint16(first+i+1))
		d.b.Put(d.queue+16*uint64(first+i), p[:])
	}
	d.b.Write(d.queue+d.availAt+4+2*uint64(d.avail%d.size), uint64(first), 2)
	d.avail++
	d.b.Write(d.queue+d.availAt+2, uint64(d.avail), 2)
}

// Notify tells the device of what was offered.
func (d *Driver) Notify() {
	at := d.notify
	if d.ports == 0 {
		at += 4 * uint64(d.index)
	}
	d.b.Write(at, uint64(d.index), 2)
}

// Used is how many chains the device has given back.
func (d *Driver) Used() int { return int(d.b.Read(d.queue+d.usedAt+2, 2)) }

// UsedLen is how much the device says it wrote to the i-th chain given back.
func (d *Driver) UsedLen(i int) int {
	return int(d.b.Read(d.queue+d.usedAt+4+8*uint64(i%int(d.size))+4, 4))
}

// Data is memory of the driver's that rings do not use.
func (d *Driver) Data() uint64 { return d.queue + dataAt }

// Disk offers a request of a block device: data is what it carries, to the
// device or, if in is set, from it.
func (d *Driver) Disk(typ uint32, sector uint64, data int, in bool) {
	at := d.Data()
	d.b.Write(at, uint64(typ), 8)
	d.b.Write(at+8, sector, 8)
	chain := []Buffer{{At: at, Len: 16}}
	if data > 0 {
		chain = append(chain, Buffer{At: d.DiskData(), Len: data, Writable: in})
	}
	d.b.Write(at+16, 0xff, 1)
	d.Offer(0, append(chain, Buffer{At: at + 16, Len: 1, Writable: true})...)
}

// DiskData is where the data of a Disk request is.
func (d *Driver) DiskData() uint64 { return d.Data() + 0x1000 }

// DiskStatus is the status of the last Disk request, 0xff until it is answered.
func (d *Driver) DiskStatus() uint64 { return d.b.Read(d.Data()+16, 1) }
