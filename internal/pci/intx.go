package pci

import "github.com/backplane-vm/backplane/internal/pci/config"

// Pins is the number of interrupt pins a function can choose from, and of lines
// that a host bridge drives.
const Pins = 4

// pinLevels counts, for each pin of a bus, how many functions and buses behind
// bridges drive it.
type pinLevels [Pins]int

// SetINTx drives the function's interrupt pin. A level that the guest disabled
// in the command register is kept and shown in the status register, and drives
// nothing. A function without a pin drives nothing either.
func (f *Function) SetINTx(level bool) {
	if f.intx == level {
		return
	}
	f.intx = level
	f.Space.AssignWord(config.RegStatus, config.StatusInterrupt, level)
	f.drive()
}

// drive tells the bus what the pin is after the interrupt disable bit.
func (f *Function) drive() {
	pin := int(f.Space.Byte(config.RegIntPin)) - 1
	if f.bus == nil || pin < 0 || pin >= Pins {
		return
	}
	level := f.intx && f.Space.Word(config.RegCommand)&config.CommandINTxDisable == 0
	if level == f.driven {
		return
	}
	f.driven = level
	f.bus.setPin(f.devfn.Slot(), pin, level)
}

// setPin adds or takes away one driver of a pin of device slot, and passes an
// edge on towards the host. Pins turn with the device number at every bridge,
// so that devices spread over the lines (PCI-to-PCI Bridge 1.2 §9.1).
func (b *Bus) setPin(slot, pin int, level bool) {
	line := (slot + pin) % Pins
	was := b.pins[line] > 0
	if level {
		b.pins[line]++
	} else {
		b.pins[line]--
	}
	now := b.pins[line] > 0
	switch {
	case was == now:
	case b.bridge == nil:
		b.host.setLine(line, now)
	case b.bridge.f.bus != nil:
		b.bridge.f.bus.setPin(b.bridge.f.devfn.Slot(), line, now)
	}
}
