// Package uart16550 is a National Semiconductor 16550A serial port: the
// machine's console, at one byte per register.
//
// Bytes leave through a sink that may refuse them for now, and arrive through
// Receive when CanReceive says that there is room. The package starts no
// goroutines and takes no locks; the caller serialises all calls (in the
// machine, under the BQL). Callbacks run inside the calls that cause them and
// must not call back into the device. Nothing blocks.
//
// There is no baud rate: a byte written is offered to the sink at once, and
// the receiver's time-out interrupt comes at once when fewer bytes than the
// trigger level are waiting.
package uart16550

// Registers; the first two have another meaning while LCR.DLAB is set.
const (
	regData = 0 // RBR, THR; DLL
	regIER  = 1 // DLM
	regIIR  = 2 // FCR when written
	regLCR  = 3
	regMCR  = 4
	regLSR  = 5
	regMSR  = 6
	regSCR  = 7

	// Size is how many bytes of address space the registers take.
	Size = 8
)

const (
	ierReceive  = 1 << 0
	ierTransmit = 1 << 1
	ierLine     = 1 << 2
	ierModem    = 1 << 3

	iirNone     = 0x01
	iirModem    = 0x00
	iirTransmit = 0x02
	iirReceive  = 0x04
	iirLine     = 0x06
	iirTimeout  = 0x0c
	iirFIFO     = 0xc0

	fcrEnable    = 1 << 0
	fcrClearRecv = 1 << 1
	fcrClearXmit = 1 << 2
	fcrTrigger   = 6

	lcrDLAB = 1 << 7

	mcrDTR      = 1 << 0
	mcrRTS      = 1 << 1
	mcrOut1     = 1 << 2
	mcrOut2     = 1 << 3
	mcrLoopback = 1 << 4
	mcrMask     = 0x1f

	lsrData    = 1 << 0
	lsrOverrun = 1 << 1
	lsrBreak   = 1 << 4
	lsrTHRE    = 1 << 5
	lsrTEMT    = 1 << 6
	lsrErrors  = 0x1e

	msrDeltas = 0x0f
	msrCTS    = 1 << 4
	msrDSR    = 1 << 5
	msrRI     = 1 << 6
	msrDCD    = 1 << 7
)

var triggers = [4]int{1, 4, 8, 14}

// Config is what the port is wired to.
type Config struct {
	// Send offers a byte to whatever the port is connected to. If it returns
	// false the port keeps the byte until Writable is called. It may be nil:
	// nobody listens, and bytes vanish.
	Send func(b byte) bool
	// IRQ drives the interrupt line. It is called on changes only.
	IRQ func(level bool)
	// ReceiveReady, if set, is called when the guest has made room after
	// CanReceive has said there is none.
	ReceiveReady func()
}

// Device is the port.
type Device struct {
	cfg Config

	ier, lcr, mcr, msr, scr, fcr byte
	divisor                      uint16
	errors                       byte // the LSR bits that reading LSR clears

	recv, xmit fifo
	// transmitIRQ is the transmitter's interrupt condition, which reading IIR
	// clears though the transmitter stays empty.
	transmitIRQ bool
	full        bool // CanReceive has said no
	line        bool
}

// New returns a port in its reset state.
func New(cfg Config) *Device {
	d := &Device{cfg: cfg}
	d.Reset()
	return d
}

// Reset puts the port into its reset state; bytes in its FIFOs are lost.
func (d *Device) Reset() {
	line := d.line
	*d = Device{cfg: d.cfg, line: line, full: d.full, divisor: 12, mcr: mcrOut2, msr: msrDCD | msrDSR | msrCTS}
	d.update()
	d.roomMade()
}

// Read returns the register at off, 0 to 7. Registers are bytes: an access of
// any size reaches the one at off.
func (d *Device) Read(off uint64, size int) (v uint64, ok bool) {
	if off >= Size {
		return 0, false
	}
	b := d.read(off)
	d.update()
	d.roomMade()
	return uint64(b), true
}

func (d *Device) read(off uint64) byte {
	switch {
	case off == regData && d.lcr&lcrDLAB != 0:
		return byte(d.divisor)
	case off == regIER && d.lcr&lcrDLAB != 0:
		return byte(d.divisor >> 8)
	case off == regData:
		return d.recv.pop()
	case off == regIER:
		return d.ier
	case off == regIIR:
		id := d.interrupt()
		if id == iirTransmit {
			d.transmitIRQ = false
		}
		if d.fcr&fcrEnable != 0 {
			id |= iirFIFO
		}
		return id
	case off == regLCR:
		return d.lcr
	case off == regMCR:
		return d.mcr
	case off == regLSR:
		v := d.lsr()
		d.errors = 0
		return v
	case off == regMSR:
		v := d.modem()
		d.msr &^= msrDeltas
		return v
	default:
		return d.scr
	}
}

func (d *Device) lsr() byte {
	v := d.errors
	if d.recv.n > 0 {
		v |= lsrData
	}
	if d.xmit.n == 0 {
		v |= lsrTHRE | lsrTEMT
	}
	return v
}

// modem is MSR: in loopback mode the outputs of MCR come back as inputs.
func (d *Device) modem() byte {
	if d.mcr&mcrLoopback == 0 {
		return d.msr
	}
	v := d.msr & msrDeltas
	for _, m := range [...]struct{ out, in byte }{{mcrDTR, msrDSR}, {mcrRTS, msrCTS}, {mcrOut1, msrRI}, {mcrOut2, msrDCD}} {
		if d.mcr&m.out != 0 {
			v |= m.in
		}
	}
	return v
}

// Write sets the register at off, 0 to 7, as Read reads it.
func (d *Device) Write(off uint64, size int, v uint64) (ok bool) {
	if off >= Size {
		return false
	}
	d.write(off, byte(v))
	d.update()
	d.roomMade()
	return true
}

func (d *Device) write(off uint64, b byte) {
	switch {
	case off == regData && d.lcr&lcrDLAB != 0:
		d.divisor = d.divisor&0xff00 | uint16(b)
	case off == regIER && d.lcr&lcrDLAB != 0:
		d.divisor = d.divisor&0x00ff | uint16(b)<<8
	case off == regData:
		d.transmit(b)
	case off == regIER:
		// Enabling the transmitter's interrupt raises it if there is room.
		if b&^d.ier&ierTransmit != 0 && d.xmit.n == 0 {
			d.transmitIRQ = true
		}
		d.ier = b & 0x0f
	case off == regIIR:
		d.writeFCR(b)
	case off == regLCR:
		d.lcr = b
	case off == regMCR:
		d.mcr = b & mcrMask
	case off == regSCR:
		d.scr = b
	}
}

func (d *Device) writeFCR(b byte) {
	if (b^d.fcr)&fcrEnable != 0 {
		b |= fcrClearRecv | fcrClearXmit
	}
	if b&fcrClearRecv != 0 {
		d.recv = fifo{}
	}
	if b&fcrClearXmit != 0 {
		d.xmit = fifo{}
		d.transmitIRQ = true
	}
	d.fcr = b & (fcrEnable | 3<<fcrTrigger)
}

// interrupt returns IIR's identification of the foremost condition.
func (d *Device) interrupt() byte {
	switch {
	case d.ier&ierLine != 0 && d.errors&lsrErrors != 0:
		return iirLine
	case d.ier&ierReceive != 0 && d.recv.n > 0:
		if d.fcr&fcrEnable != 0 && d.recv.n < triggers[d.fcr>>fcrTrigger] {
			return iirTimeout
		}
		return iirReceive
	case d.ier&ierTransmit != 0 && d.transmitIRQ:
		return iirTransmit
	case d.ier&ierModem != 0 && d.msr&msrDeltas != 0:
		return iirModem
	}
	return iirNone
}

func (d *Device) update() {
	if level := d.interrupt() != iirNone; level != d.line {
		d.line = level
		d.cfg.IRQ(level)
	}
}
