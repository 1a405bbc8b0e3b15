package uart16550

// transmit takes a byte from the guest. One too many pushes out the oldest;
// LSR tells a guest that looks.
func (d *Device) transmit(b byte) {
	d.transmitIRQ = false
	if d.mcr&mcrLoopback != 0 {
		d.receive(b)
		d.transmitIRQ = true
		return
	}
	if !d.xmit.push(b, d.depth()) {
		d.xmit.pop()
		d.xmit.push(b, d.depth())
	}
	d.drain()
}

// drain sends what the sink will take.
func (d *Device) drain() {
	for d.xmit.n > 0 {
		if d.cfg.Send != nil && !d.cfg.Send(d.xmit.buf[d.xmit.first]) {
			return
		}
		d.xmit.pop()
	}
	d.transmitIRQ = true
}

// Writable says that the sink takes bytes again.
func (d *Device) Writable() {
	if d.xmit.n > 0 {
		d.drain()
		d.update()
	}
}

// CanReceive returns how many bytes Receive will take. After it has returned
// 0, ReceiveReady is called once there is room.
func (d *Device) CanReceive() int {
	n := 0
	if d.mcr&mcrLoopback == 0 {
		n = d.depth() - d.recv.n
	}
	d.full = n == 0
	return max(n, 0)
}

// Receive hands bytes to the guest. More than CanReceive are lost, and the
// guest sees an overrun.
func (d *Device) Receive(p []byte) {
	for _, b := range p {
		d.receive(b)
	}
	d.update()
}

func (d *Device) receive(b byte) {
	if !d.recv.push(b, d.depth()) {
		d.errors |= lsrOverrun
	}
}

// Break tells the guest that the line is held at zero.
func (d *Device) Break() {
	d.errors |= lsrBreak
	d.receive(0)
	d.update()
}

func (d *Device) depth() int {
	if d.fcr&fcrEnable != 0 {
		return fifoSize
	}
	return 1
}

func (d *Device) roomMade() {
	if d.full && d.mcr&mcrLoopback == 0 && d.recv.n < d.depth() {
		d.full = false
		if d.cfg.ReceiveReady != nil {
			d.cfg.ReceiveReady()
		}
	}
}
