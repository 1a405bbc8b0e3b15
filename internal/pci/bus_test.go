package pci

import "testing"

func TestDeviceNumbers(t *testing.T) {
	r := newRig(t)
	bus := r.Root()
	hot := func(name string, multi bool) *Function {
		return NewFunction(Spec{Name: name, ID: "i-" + name, Map: r.m, Multi: multi, Hotplugged: true})
	}
	cold := func(name string, multi bool) *Function {
		return NewFunction(Spec{Name: name, Map: r.m, Multi: multi})
	}
	attach(t, bus, cold("root", false), 0)
	attach(t, bus, hot("d1", false), AnyDevfn)
	attach(t, bus, cold("d2f1", true), int(MakeDevfn(2, 1)))
	attach(t, bus, cold("d3f0", true), int(MakeDevfn(3, 0)))
	for _, c := range []struct {
		f    *Function
		n    int
		want string
	}{
		{cold("x", false), 0, "PCI: slot 0 function 0 not available for x, in use by root,id=(null)"},
		{cold("x", false), 8, "PCI: slot 1 function 0 not available for x, in use by d1,id=i-d1"},
		{cold("x", false), 1, "PCI: single function device can't be populated in function 0.1"},
		{cold("x", false), 16, "PCI: 2.0 indicates single function, but 2.1 is already populated."},
		{hot("x", false), 25, "PCI: slot 3 function 0 already occupied by d3f0, new func x cannot be exposed to guest."},
		{cold("x", false), 25, ""},
		{cold("x", true), 16, ""},
	} {
		err := bus.Attach(c.f, c.n)
		if got := errText(err); got != c.want {
			t.Errorf("%s at %d: %q, want %q", c.f.Name(), c.n, got, c.want)
		}
	}
	for n := 4; n < 32; n++ {
		attach(t, bus, cold("fill", false), AnyDevfn)
	}
	const full = "PCI: no slot/function available for x, all in use or reserved"
	if got := errText(bus.Attach(cold("x", false), AnyDevfn)); got != full {
		t.Errorf("full bus: %q", got)
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
