package qdev

import (
	"fmt"
	"testing"

	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// The classes of the tests: a host with a root bus, ports with a slot, a
// widget with a property of every type, a proxy that contains a backend on a
// bus of its own, and things that cannot be added.

type mode string

type widget struct {
	Base
	On      bool   `qdev:"on,bool,default=true"`
	U8      uint8  `qdev:"u8,uint8,default=0x10,desc=a small number, hex by default"`
	U16     uint16 `qdev:"u16,uint16"`
	U32     uint32 `qdev:"u32,uint32,default=4294967295"`
	U64     uint64 `qdev:"u64,uint64,default=9223372036854775807"`
	I32     int32  `qdev:"i32,int32,default=-1"`
	Size    uint64 `qdev:"size,size,default=4096"`
	Name    string `qdev:"name,str"`
	Mode    mode   `qdev:"mode,OnOffAuto,default=auto"`
	Speed   string `qdev:"x-speed,enum=PCIELinkSpeed,values=2_5|5|8,default=5"`
	Flags   uint64 `qdev:"f0,bit=0,default=on;f40,bit=40,default=off"`
	Addr    int32  `qdev:"addr,devfn,default=-1"`
	Drive   Ref    `qdev:"drive,drive"`
	Link    Ref    `qdev:"rng,link=rng-backend"`
	Fail    bool   `qdev:"x-fail,bool"`
	resets  int
	undone  int
	touched bool
}

func (w *widget) Realize() error {
	if w.Fail {
		return fmt.Errorf("widget fails as told")
	}
	w.touched = true
	return nil
}
func (w *widget) Unrealize() { w.undone++ }
func (w *widget) Reset()     { w.resets++ }

type port struct {
	Base
	Chassis uint8 `qdev:"chassis,uint8"`
	Hotplug bool  `qdev:"hotplug,bool,default=on"`
	bus     Bus
	slot    *slot
}

func (p *port) Realize() error {
	p.Tree().InitBus(&p.bus, &p.bus, p, "PCIE", p.ID())
	p.bus.SetMax(2)
	if p.Hotplug {
		p.slot = &slot{t: p.Tree()}
		p.bus.SetHotplugHandler(p.slot)
	}
	return nil
}

type proxy struct {
	Base
	Vectors uint32  `qdev:"vectors,uint32,default=2"`
	Fail    bool    `qdev:"x-fail-late,bool"`
	VDev    backend `qdev:"virtio-backend,child=virtio-rng-device,alias"`
	vbus    Bus
}

func (p *proxy) Init() { p.Tree().InitBus(&p.vbus, &p.vbus, p, "virtio-pci-bus", "virtio-bus") }

func (p *proxy) Realize() error {
	if err := p.Tree().Realize(&p.VDev, &p.vbus); err != nil {
		return err
	}
	if p.Fail {
		return fmt.Errorf("proxy fails late")
	}
	return nil
}

type backend struct {
	Base
	MaxBytes uint64 `qdev:"max-bytes,uint64,default=9223372036854775807"`
	Drive    Ref    `qdev:"drive,drive"`
}

type host struct {
	Base
	Root widget `qdev:"gpex_root,child=widget"`
	bus  Bus
}

func (h *host) Realize() error {
	h.Tree().InitBus(&h.bus, &h.bus, h, "PCIE", "pcie.0")
	return nil
}

// slot is a hot-plug handler that asks the guest.
type slot struct {
	t       *Tree
	refuse  error // of the next PrePlug
	break_  error // of the next Plug
	sync    bool  // the slot is off: remove at once
	busy    error // of the next UnplugRequest
	plugs   int
	unplugs int
}

func (s *slot) PrePlug(Device) error { return s.refuse }
func (s *slot) Plug(Device) error {
	if s.break_ == nil {
		s.plugs++
	}
	return s.break_
}
func (s *slot) Unplug(Device) { s.unplugs++ }
func (s *slot) UnplugRequest(d Device) error {
	if s.busy != nil {
		return s.busy
	}
	if s.sync {
		s.t.Remove(d)
		return nil
	}
	d.Dev().AwaitGuest(GuestGrace)
	return nil
}

// rig is a machine of ports; its grace periods end when the test says so.
type rig struct {
	*Tree
	queue  []func()
	now    int64
	events []string
	used   map[string]bool
}

func (r *rig) Call(f func()) { r.queue = append(r.queue, f) }

func (r *rig) grace() {
	for len(r.queue) > 0 {
		f := r.queue[0]
		r.queue = r.queue[1:]
		f()
	}
}

// Drive makes rig a Backends with n0 and n1.
func (r *rig) Drive(_ Device, _, name string) (Ref, error) {
	switch {
	case name != "n0" && name != "n1":
		return Ref{}, ErrNotFound
	case r.used[name]:
		return Ref{}, ErrInUse
	}
	r.used[name] = true
	return Ref{Name: name, Target: name, Release: func() { delete(r.used, name) }}, nil
}

func testRegistry(t testing.TB) *Registry {
	r := NewRegistry()
	for _, b := range [][2]string{{"PCI", ""}, {"PCIE", "PCI"}, {"SCSI", ""}, {"virtio-bus", ""}, {"virtio-pci-bus", "virtio-bus"}, {"usb-bus", ""}} {
		if err := r.AddBusType(b[0], b[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Types.Add(qom.Type{Name: "rng-backend", Parent: "object", Abstract: true},
		qom.Type{Name: "rng-builtin", Parent: "rng-backend"}); err != nil {
		t.Fatal(err)
	}
	err := r.Add(
		&Class{Name: "pci-device", Abstract: true, BusType: "PCI"},
		&Class{Name: "virtio-device", Abstract: true, BusType: "virtio-bus"},
		&Class{Name: "pcie-root-port", Parent: "pci-device", New: func() Device { return new(port) }},
		&Class{Name: "widget", Parent: "pci-device", New: func() Device { return new(widget) }},
		&Class{Name: "gpex-pcihost", Parent: "sys-bus-device", Internal: true, New: func() Device { return new(host) }},
		&Class{Name: "cold", Parent: "pci-device", NotHotpluggable: true, New: func() Device { return new(widget) }},
		&Class{Name: "virtio-rng-device", Parent: "virtio-device", New: func() Device { return new(backend) }},
		&Class{Name: "virtio-rng-pci", Parent: "pci-device", Alias: "virtio-rng", New: func() Device { return new(proxy) },
			Defaults: map[string]string{"vectors": "3"}},
		&Class{Name: "usb-kbd", BusType: "usb-bus", New: func() Device { return new(widget) }},
		&Class{Name: "scsi-hd", BusType: "SCSI", New: func() Device { return new(widget) }},
		&Class{Name: "busless", New: func() Device { return new(widget) }},
		&Class{Name: "goldfish_rtc", Parent: "sys-bus-device", Internal: true, New: func() Device { return new(widget) }},
		&Class{Name: "dynamic", Parent: "sys-bus-device", DynamicSysbus: true, New: func() Device { return new(widget) }},
	)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// newRig returns a machine with root ports rp0, rp1, … that runs.
func newRig(t testing.TB, ports int) *rig {
	r := &rig{used: make(map[string]bool)}
	reg := testRegistry(t)
	r.Tree = New(Config{
		Registry: reg, QOM: qom.NewTree(reg.Types), RCU: r, Clock: func() int64 { return r.now }, Backends: r,
		Deleted:     func(id, path string) { r.events = append(r.events, "deleted "+id+" "+path) },
		UnplugError: func(id, path string) { r.events = append(r.events, "error "+id+" "+path) },
	})
	h, err := r.Create("gpex-pcihost")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Realize(h, r.SystemBus()); err != nil {
		t.Fatal(err)
	}
	h.Dev().Unref()
	for i := range ports {
		if _, err := r.Add(dict("driver", "pcie-root-port", "id", fmt.Sprint("rp", i), "chassis", int64(i&0xff)), JSON); err != nil {
			t.Fatal(err)
		}
	}
	r.SetReady()
	return r
}

func dict(kv ...any) *qobject.Dict { return qobject.Members(kv...) }

// add is a device_add that must succeed.
func (r *rig) add(t testing.TB, kv ...any) Device {
	t.Helper()
	d, err := r.Add(dict(kv...), JSON)
	if err != nil {
		t.Fatalf("device_add %v: %v", kv, err)
	}
	return d
}

func (r *rig) slot(t testing.TB, id string) *slot {
	t.Helper()
	d, err := r.Find(id)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*port).slot
}
