package qdev

// Reset resets all devices, each after those that hang from it.
func (t *Tree) Reset() { t.resetBus(t.main) }

// ResetDevice resets d and what hangs from it.
func (t *Tree) ResetDevice(d Device) {
	for _, bus := range d.Dev().buses {
		t.resetBus(bus)
	}
	if r, ok := d.(Resetter); ok {
		r.Reset()
	}
}

func (t *Tree) resetBus(b *Bus) {
	for d := range b.Devices() {
		t.ResetDevice(d)
	}
}
