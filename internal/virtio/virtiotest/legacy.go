package virtiotest

// OpenPorts gives the port at a function a window of 4 KiB of I/O space.
func (f Function) OpenPorts(base uint32) {
	f.Write(0x1c, base>>8&0xf0|base&0xf000, 2)
	f.Write(0x04, f.Read(0x04, 2)|1, 2)
}

// ProbeLegacy puts the legacy interface of a device at an I/O address and uses
// it. The bus master bit is left as it is: the device sees to it.
func (f Function) ProbeLegacy(port uint32) *Driver {
	f.b.T.Helper()
	f.Write(0x10, port, 4)
	f.Write(0x04, f.Read(0x04, 2)|1, 2)
	at := uint64(PIO) + uint64(port)
	return &Driver{Function: f, Features: usual, ports: at, status: at + 0x12, isr: at + 0x13, config: at + 0x14, notify: at + 0x10,
		queue: RAM + 0x20000}
}

// Port reads a register of n bytes of the legacy interface.
func (d *Driver) Port(reg uint64, n int) uint64 { return d.b.Read(d.ports+reg, n) }

// SetPort writes a register of the legacy interface.
func (d *Driver) SetPort(reg, v uint64, n int) { d.b.Write(d.ports+reg, v, n) }

// startLegacy is Start for the legacy interface (virtio 1.2 §3.1.2).
func (d *Driver) startLegacy() {
	d.SetStatus(0)
	d.SetStatus(3)
	d.SetPort(0x04, d.Port(0x00, 4)&d.Features, 4)
	d.Place()
	d.SetStatus(7)
}

// Place tells the device where the queue is. The device chose its size, and that
// lays it out.
func (d *Driver) Place() {
	d.SetPort(0x0e, uint64(d.index), 2)
	d.size, d.avail = uint16(d.Port(0x0c, 2)), 0
	d.availAt = 16 * uint64(d.size)
	d.usedAt = (d.availAt + 2*uint64(d.size) + 6 + 0xfff) &^ 0xfff
	if d.usedAt+8*uint64(d.size)+6 > dataAt {
		d.b.T.Fatalf("a queue of %d does not fit", d.size)
	}
	d.b.Put(d.queue, make([]byte, dataAt))
	d.SetPort(0x08, d.queue>>12, 4)
}
