package blk_test

import (
	"math/rand/v2"
	"testing"

	"github.com/backplane-vm/backplane/internal/virtio/virtiotest"
)

// A random life: plugs, presses, guests that power off at the wrong moment,
// resets, requests that hang. Whatever the order, at the end everything can be
// removed and is finalised.
func TestRandomLives(t *testing.T) {
	for seed := range uint64(100) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		b, d := newBoard(t)
		port := b.At(0, 1, 0)
		port.Open(1, 0)
		for range 40 {
			step(t, b, d, rnd)
		}
		d.release()
		b.Settle()
		powerOff(b)
		if _, err := b.Tree.Find("d0"); err == nil {
			_ = b.Tree.Del("d0") // refused if one is pending
			powerOn(b)
			powerOff(b)
		}
		b.Settle()
		if _, err := b.Tree.Find("d0"); err == nil || d.inUse {
			t.Fatalf("seed %d: the device is still there, drive in use %v", seed, d.inUse)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func step(t *testing.T, b *virtiotest.Board, d *disk, rnd *rand.Rand) {
	port, dev := b.At(0, 1, 0), b.At(1, 0, 0)
	switch rnd.IntN(12) {
	case 0, 1:
		_ = b.TryAdd("virtio-blk-pci", "d0", "bus", "rp0", "drive", "n0")
	case 2:
		_ = b.TryAdd("virtio-blk-pci", "d0", "bus", "rp0", "drive", "nonesuch")
	case 3:
		_ = b.Tree.Del("d0")
	case 4, 5:
		powerOn(b)
	case 6:
		powerOff(b)
	case 7:
		port.Write(sltCtl, uint32(rnd.Uint64()&^0x0800), 2) // any but the interlock
	case 8:
		port.Write(sltSta, uint32(rnd.Uint64()), 2)
	case 9:
		b.Settle()
	case 10:
		if rnd.IntN(4) == 0 {
			b.Tree.Reset()
			port.Open(1, 0)
		}
		if d.held = rnd.IntN(2) == 0; !d.held {
			d.release()
		}
	case 11:
		if dev.Present() {
			drv := dev.Probe(0)
			if drv.Status() == 0 {
				drv.Start()
				drv.Disk(0, 3, 512, true)
				drv.Notify()
			} else {
				drv.SetCommon(0x14, 0, 1)
			}
		}
	}
}
