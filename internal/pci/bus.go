package pci

import (
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// busSize is how many functions a bus can hold.
const busSize = 256

// AnyDevfn asks Attach to choose a device number.
const AnyDevfn = -1

// Bus is one PCI bus. All methods want the BQL.
type Bus struct {
	host   *Host
	bridge *Bridge // what the bus is behind; nil for the root bus

	mem *mem.Region // memory space, where base address registers are mapped
	io  *mem.Region // I/O space

	functions [busSize]*Function
	bridges   []*Bridge // among functions, by device-function number
	pins      pinLevels

	// pcie says that the bus is one link: function 0 is that of device 0,
	// whatever the device number.
	link bool
}

// At returns the function with that number, or nil.
func (b *Bus) At(n Devfn) *Function { return b.functions[n] }

// Functions calls yield for each function in order of number.
func (b *Bus) Functions(yield func(*Function) bool) {
	for _, f := range b.functions {
		if f != nil && !yield(f) {
			return
		}
	}
}

// function0 is the function that a guest must find before it looks for f at n.
func (b *Bus) function0(n Devfn) *Function {
	if b.link {
		return b.functions[0]
	}
	return b.functions[MakeDevfn(n.Slot(), 0)]
}

// Choose returns where a new function would go: want, a Devfn or AnyDevfn, if
// it is free and the multi-function rules allow it. It changes nothing.
func (b *Bus) Choose(f *Function, want int) (Devfn, error) {
	n, err := b.free(f, want)
	if err != nil {
		return 0, err
	}
	if f0 := b.function0(n); f.spec.Hotplugged && f0 != nil {
		return 0, qerr.New("PCI: slot %d function 0 already occupied by %s, new func %s cannot be exposed to guest.",
			f0.devfn.Slot(), f0.Name(), f.Name())
	}
	return n, b.checkMultifunction(f, n)
}

func (b *Bus) free(f *Function, want int) (Devfn, error) {
	if want == AnyDevfn {
		for n := 0; n < busSize; n += functionsPerDevice {
			if b.functions[n] == nil {
				return Devfn(n), nil
			}
		}
		return 0, qerr.New("PCI: no slot/function available for %s, all in use or reserved", f.Name())
	}
	n := Devfn(want)
	if by := b.functions[n]; by != nil {
		id := by.ID()
		if id == "" {
			id = "(null)"
		}
		return 0, qerr.New("PCI: slot %d function %d not available for %s, in use by %s,id=%s",
			n.Slot(), n.Func(), f.Name(), by.Name(), id)
	}
	return n, nil
}

// checkMultifunction allows functions above 0 only with a function 0 that says
// it is not alone (PCI 3.0 §6.2.1, header type).
func (b *Bus) checkMultifunction(f *Function, n Devfn) error {
	if n.Func() != 0 {
		if f0 := b.functions[MakeDevfn(n.Slot(), 0)]; f0 != nil && !f0.spec.Multi {
			return qerr.New("PCI: single function device can't be populated in function %x.%x", n.Slot(), n.Func())
		}
		return nil
	}
	if f.spec.Multi {
		return nil
	}
	for fn := 1; fn < functionsPerDevice; fn++ {
		if b.functions[MakeDevfn(n.Slot(), fn)] != nil {
			return qerr.New("PCI: %x.0 indicates single function, but %x.%x is already populated.", n.Slot(), n.Slot(), fn)
		}
	}
	return nil
}

// Attach puts f on the bus at want, a Devfn or AnyDevfn, or says why not. The
// function is visible to the guest as soon as its port lets it be.
func (b *Bus) Attach(f *Function, want int) error {
	n, err := b.Choose(f, want)
	if err != nil {
		return err
	}
	b.functions[n] = f
	f.attach(b, n)
	b.topologyChanged(f)
	return nil
}

// Detach takes f off the bus, after which nothing of it reaches the guest nor
// the other way. A bridge takes what is behind it out of sight with it.
func (b *Bus) Detach(f *Function) {
	if b.functions[f.devfn] != f {
		return
	}
	b.functions[f.devfn] = nil
	if f.bridge != nil {
		f.bridge.close()
	}
	f.detach()
	b.topologyChanged(f)
}

func (b *Bus) topologyChanged(f *Function) {
	if f.bridge == nil {
		return
	}
	b.bridges = b.bridges[:0]
	for g := range b.Functions {
		if g.bridge != nil {
			b.bridges = append(b.bridges, g.bridge)
		}
	}
	b.host.stale = true
}

// visible returns the function that answers configuration accesses at n: it has
// power, and if it arrived at run time function 0 is there too.
func (b *Bus) visible(n Devfn) *Function {
	f := b.functions[n]
	if f == nil || !f.power || f.spec.Hotplugged && b.function0(n) == nil {
		return nil
	}
	return f
}

// SetPower switches all functions on the bus.
func (b *Bus) SetPower(on bool) {
	for f := range b.Functions {
		f.SetPower(on)
	}
}

// Reset resets all functions on the bus and behind it, as a bridge's secondary
// bus reset does.
func (b *Bus) Reset() {
	for f := range b.Functions {
		if f.bridge != nil {
			f.bridge.secondary.Reset()
		}
		f.Reset()
	}
}

// Number is the number of the bus: what its bridge's secondary bus number
// register says, 0 for the root.
func (b *Bus) Number() int {
	if b.bridge == nil {
		return 0
	}
	return b.bridge.Secondary()
}
