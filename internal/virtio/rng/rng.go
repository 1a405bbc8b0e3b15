// Package rng is the virtio entropy device (virtio 1.2 §5.4), virtio-rng-pci:
// it fills what the guest offers with random bytes, no more of them than a
// quota allows per period of the guest's time.
//
// Goroutines: none. Locks: none; everything runs under the BQL in the main
// context. The source of entropy must not block.
package rng

import (
	"io"
	"math"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/internal/virtio"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

const (
	// queueSize is the size of the only queue.
	queueSize = 8
	// maxFill bounds what one request is answered with, and so the time and
	// memory it takes; a guest that wants more asks again.
	maxFill = 64 << 10

	nsPerMS = 1_000_000
)

// Device is the entropy device behind its transport (virtio-rng-device).
type Device struct {
	virtio.Device
	RNG      qdev.Ref `qdev:"rng,link=rng-backend"`
	MaxBytes uint64   `qdev:"max-bytes,uint64,default=9223372036854775807"`
	Period   uint32   `qdev:"period,uint32,default=65536"`

	source io.Reader
	timer  *aio.Timer
	armed  bool   // the timer will refill
	quota  uint64 // bytes left in this period
	buf    []byte
	r      virtio.Request
}

// Realize implements qdev.Realizer.
func (d *Device) Realize() error {
	if d.Period == 0 {
		return qerr.New("'period' parameter expects a positive integer")
	}
	if d.MaxBytes == 0 || d.MaxBytes > math.MaxInt64 {
		return qerr.New("'max-bytes' parameter must be positive, and less than 2^63")
	}
	p := d.Platform()
	d.source = p.Random
	if o, ok := d.RNG.Target.(*qom.Object); ok {
		if d.source, ok = o.Self().(io.Reader); !ok {
			return qerr.New("object '%s' is no source of entropy", d.RNG.Name)
		}
	}
	d.quota = d.MaxBytes
	d.timer = p.Main.Timer(p.Clock, d.refill)
	return nil
}

// Unrealize implements qdev.Unrealizer.
func (d *Device) Unrealize() { d.timer.Cancel() }

// Description implements virtio.Backend.
func (d *Device) Description() virtio.Description {
	return virtio.Description{Type: 4, LegacyID: 0x1005, Name: "virtio-rng", Class: 0x00ff, Queues: []uint16{queueSize}, Vectors: 2}
}

// Config implements virtio.Kind; there is none.
func (d *Device) Config() []byte { return nil }

// Reset implements virtio.Kind.
func (d *Device) Reset() {}

// HandleQueue implements virtio.Kind.
func (d *Device) HandleQueue(i int) {
	c := d.Core()
	for {
		c.Busy(i)
		for d.quota > 0 && c.Pop(i, &d.r) {
			d.fill()
		}
		if d.quota == 0 || c.Idle(i) {
			return
		}
	}
}

// fill answers the request in d.r.
func (d *Device) fill() {
	n := int(min(d.r.InLen(), maxFill, d.quota))
	if cap(d.buf) < n {
		d.buf = make([]byte, n)
	}
	got, err := io.ReadFull(d.source, d.buf[:n])
	if err != nil && got == 0 && n > 0 {
		d.r.Done(0)
		return
	}
	d.spend(uint64(got))
	d.r.Done(uint32(d.r.Write(0, d.buf[:got])))
}

// spend takes n bytes from the quota; the period begins with its first byte.
func (d *Device) spend(n uint64) {
	d.quota -= n
	if !d.armed {
		d.armed = true
		d.timer.Arm(d.Platform().Clock.Now() + int64(d.Period)*nsPerMS)
	}
}

// refill begins a new period.
func (d *Device) refill() {
	d.armed = false
	d.quota = d.MaxBytes
	if c := d.Core(); c != nil {
		c.Notify(0)
	}
}
