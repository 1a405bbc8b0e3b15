package pci

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/pci/config"
)

// FuzzConfigSpace lets a guest write anything to three functions: nothing may
// panic, and what is mapped must be where the registers say.
func FuzzConfigSpace(f *testing.F) {
	f.Add([]byte{0x08, 0x18, 0, 1, 1, 4, 0x08, 0x04, 7, 0, 0, 2, 0x10, 0x10, 0, 0x40, 0, 4})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := newRig(t)
		port, dev, far := r.bridge(t, "port"), r.plain(t, "dev", 1), r.plain(t, "far", 2)
		if err := dev.AddMSI(4); err != nil {
			t.Fatal(err)
		}
		attach(t, r.Root(), dev, AnyDevfn)
		attach(t, r.Root(), port, AnyDevfn)
		attach(t, port.Bridge().SecondaryBus(), far, AnyDevfn)
		all := []*Function{port, dev, far}
		for ; len(in) >= 6; in = in[6:] {
			fn := all[in[0]%3]
			off := int(in[1]) | int(in[0]>>4)<<8
			v := uint32(in[2]) | uint32(in[3])<<8 | uint32(in[4])<<16 | uint32(in[3])<<24
			fn.ConfigWrite(off, v, 1<<(in[5]%3))
			fn.SetINTx(in[5]&0x80 != 0)
			fn.MSI().Notify(int(in[5] >> 2 & 3))
			fn.MSIX().Notify(int(in[5] >> 2 & 3))
			r.ConfigRead(uint64(in[2])<<20|uint64(in[3])<<12, 4)
		}
		for _, fn := range all {
			for _, b := range fn.bars {
				if want := fn.Space.Address(b.BAR); b.at != want {
					t.Fatalf("%s BAR %d is at %#x, registers say %#x", fn.Name(), b.Index, b.at, want)
				}
			}
		}
		_ = FormatInfo(r.Info())
		port.Bridge().SecondaryBus().Detach(far)
		r.Root().Detach(port)
		r.Root().Detach(dev)
		if r.lines != [Pins]bool{} {
			t.Fatalf("lines %v although nothing is left", r.lines)
		}
	})
}

func BenchmarkConfigRead(b *testing.B) {
	r := newRig(b)
	port := r.bridge(b, "port")
	attach(b, r.Root(), port, AnyDevfn)
	attach(b, port.Bridge().SecondaryBus(), r.plain(b, "far", 2), AnyDevfn)
	r.ConfigWrite(config.RegPrimaryBus, 0x010100, 4)
	b.ReportAllocs()
	for b.Loop() {
		r.ConfigRead(1<<20, 4)
	}
}

func BenchmarkConfigWriteCommand(b *testing.B) {
	r := newRig(b)
	f := r.plain(b, "f", 0)
	attach(b, r.Root(), f, AnyDevfn)
	b.ReportAllocs()
	for b.Loop() {
		f.ConfigWrite(config.RegCommand, config.CommandINTxDisable, 2)
	}
}
