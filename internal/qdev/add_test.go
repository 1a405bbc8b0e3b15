package qdev

import (
	"errors"
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// desc checks that err is a *qerr.Error of a class and text.
func desc(t *testing.T, err error, class qerr.Class, text string) {
	t.Helper()
	var e *qerr.Error
	if !errors.As(err, &e) || e.Desc != text || e.Class != class {
		t.Errorf("error %v, want %s %q", err, class, text)
	}
}

func TestAddErrors(t *testing.T) {
	for _, c := range []struct {
		args  []any
		class qerr.Class
		text  string
	}{
		{nil, "", "Parameter 'driver' is missing"},
		{[]any{"driver", int64(5)}, "", "Parameter 'driver' is missing"},
		{[]any{"driver", ""}, "", "'' is not a valid device model name"},
		{[]any{"driver", "nonesuch"}, "", "'nonesuch' is not a valid device model name"},
		{[]any{"driver", "container"}, "", "'container' is not a valid device model name"},
		{[]any{"driver", "device"}, "", "Parameter 'driver' expects a non-abstract device type"},
		{[]any{"driver", "pci-device"}, "", "Parameter 'driver' expects a non-abstract device type"},
		{[]any{"driver", "goldfish_rtc"}, "", "Parameter 'driver' expects a pluggable device type"},
		{[]any{"driver", "dynamic"}, "", "Parameter 'driver' expects a dynamic sysbus device type for the machine"},
		{[]any{"driver", "WIDGET"}, "", "'WIDGET' is not a valid device model name"},
		{[]any{"driver", "widget", "bus", "nonesuch"}, "", "Bus 'nonesuch' not found"},
		{[]any{"driver", "widget", "bus", ""}, "", "Bus '' not found"},
		{[]any{"driver", "scsi-hd", "bus", "rp0"}, "", "Device 'scsi-hd' can't go on PCIE bus"},
		{[]any{"driver", "busless", "bus", "rp0"}, "", "Device 'busless' can't go on PCIE bus"},
		{[]any{"driver", "busless"}, "", "Device 'busless' can not be hotplugged on this machine"},
		{[]any{"driver", "widget", "bus", "pcie.0"}, "", "Bus 'pcie.0' does not support hotplugging"},
		{[]any{"driver", "widget"}, "", "Bus 'pcie.0' does not support hotplugging"},
		{[]any{"driver", "widget", "bus", int64(5)}, "", "Bus 'pcie.0' does not support hotplugging"},
		{[]any{"driver", "usb-kbd"}, "", "No 'usb-bus' bus found for device 'usb-kbd'"},
		{[]any{"driver", "widget", "bus", "/rp0"}, qerr.DeviceNotFound, "Device 'rp0' not found"},
		{[]any{"driver", "widget", "bus", "rp0/rp0"}, qerr.DeviceNotFound, "Device 'rp0' not found"},
		{[]any{"driver", "widget", "bus", "/gpex-pcihost/nonesuch"}, "", "Bus 'nonesuch' not found"},
		{[]any{"driver", "cold", "bus", "rp0"}, "", "Device 'cold' does not support hotplugging"},
		{[]any{"driver", "widget", "bus", "rp0", "id", "rp1"}, "", "Duplicate device ID 'rp1'"},
		{[]any{"driver", "widget", "bus", "rp0", "id", "type"}, "", "Duplicate device ID 'type'"},
		{[]any{"driver", "virtio-rng-pci", "bus", "rp0", "id", "rp0"}, "", "Duplicate device ID 'rp0'"},
		{[]any{"driver", "widget", "bus", "rp0", "nonesuch", int64(1)}, "", "Property 'widget.nonesuch' not found"},
		{[]any{"driver", "virtio-rng-pci", "bus", "rp0", "drive", "n9"}, "", "Property 'virtio-rng-device.drive' can't find value 'n9'"},
		{[]any{"driver", "widget", "bus", "rp0", "realized", true}, "", "Property 'widget.realized' is not writable"},
		{[]any{"driver", "widget", "bus", "rp0", "drive", "n0", "x-fail", true}, "", "widget fails as told"},
		{[]any{"driver", "virtio-rng-pci", "bus", "rp0", "drive", "n0", "x-fail-late", true}, "", "proxy fails late"},
	} {
		t.Run(c.text, func(t *testing.T) {
			r := newRig(t, 2)
			before := len(r.QTree().Devices[0].Buses[0].Devices)
			if c.class == "" {
				c.class = qerr.GenericError
			}
			_, err := r.Add(dict(append(c.args, "x", 0)[:len(c.args)]...), JSON)
			desc(t, qerr.From(err), c.class, c.text)
			r.grace()
			if len(r.used) != 0 {
				t.Errorf("drives in use after the failure: %v", r.used)
			}
			if n := len(r.QTree().Devices[0].Buses[0].Devices); n != before || r.busNamed("rp0").Len() != 0 || len(r.buses["virtio-bus"]) != 0 {
				t.Error("something stayed on a bus")
			}
			for _, p := range []string{"/machine/peripheral-anon", "/machine/unattached"} {
				for o := range r.qom.Container(p).Children() {
					if o.Type() == "widget" || o.Type() == "virtio-rng-pci" {
						t.Errorf("%s is left", o.Path())
					}
				}
			}
		})
	}
}

func TestAddPlaces(t *testing.T) {
	r := newRig(t, 4)
	for _, c := range []struct {
		args []any
		path string
	}{
		{[]any{"driver", "widget", "bus", "rp0", "id", "1a"}, "/machine/peripheral/1a"},
		{[]any{"driver", "widget", "bus", "rp0", "id", int64(5)}, "/machine/peripheral-anon/device[0]"},
		{[]any{"driver", "virtio-rng", "bus", "/gpex-pcihost/pcie.0/rp1/rp1"}, "/machine/peripheral-anon/device[1]"},
		{[]any{"driver", "widget", "bus", "/gpex-pcihost/pcie.0/rp1"}, "/machine/peripheral-anon/device[2]"},
		{[]any{"driver", "widget", "bus", "/gpex-pcihost/pcie.0/pcie-root-port", "id", ""}, "/machine/peripheral/"},
	} {
		d := r.add(t, c.args...)
		if b := d.Dev(); b.CanonicalPath() != c.path || b.State() != Plugged || !b.Hotplugged() {
			t.Errorf("%v: at %s, %s", c.args, b.CanonicalPath(), b.State())
		}
	}
	_, err := r.Add(dict("driver", "widget", "bus", "rp1"), JSON)
	desc(t, err, qerr.GenericError, "Bus 'rp1' is full")
	_, err = r.Add(dict("driver", "widget", "bus", "rp1/virtio-rng-pci/virtio-bus"), JSON)
	desc(t, err, qerr.GenericError, "Device 'widget' can't go on virtio-pci-bus bus")
	_, err = r.Add(dict("driver", "widget", "bus", "rp1/widget"), JSON)
	desc(t, err, qerr.GenericError, "Device 'widget' has no child bus")
	_, err = r.Add(dict("driver", "virtio-rng-device", "bus", "virtio-bus"), JSON)
	desc(t, err, qerr.GenericError, "Bus 'virtio-bus' does not support hotplugging")
}

func TestKeyValIDs(t *testing.T) {
	r := newRig(t, 2)
	_, err := r.Add(dict("driver", "widget", "id", "1a", "bus", "rp0"), KeyVal)
	desc(t, err, qerr.GenericError, "Parameter 'id' expects an identifier")
	if qerr.From(err).Hint == "" {
		t.Error("no hint")
	}
	if _, err := r.Add(dict("driver", "widget", "id", "a.b-c_1", "bus", "rp0", "u8", "0x20", "size", "1.5k", "on", "off"), KeyVal); err != nil {
		t.Fatal(err)
	}
	d, _ := r.Find("a.b-c_1")
	if w := d.(*widget); w.U8 != 0x20 || w.Size != 1536 || w.On {
		t.Errorf("properties %+v", w)
	}
	_, err = r.Add(dict("driver", "nonesuch", "id", "a.b-c_1"), KeyVal)
	desc(t, err, qerr.GenericError, "Duplicate ID 'a.b-c_1' for device")
	r.Remove(d)
	_, err = r.Add(dict("driver", "nonesuch", "id", "a.b-c_1"), KeyVal)
	desc(t, err, qerr.GenericError, "Duplicate ID 'a.b-c_1' for device")
	r.grace()
	_, err = r.Add(dict("driver", "nonesuch", "id", "a.b-c_1"), KeyVal)
	desc(t, err, qerr.GenericError, "'nonesuch' is not a valid device model name")
}

func TestDelErrors(t *testing.T) {
	r := newRig(t, 2)
	for id, want := range map[string]error{
		"nonesuch":                     qerr.Newc(qerr.DeviceNotFound, "Device 'nonesuch' not found"),
		"":                             qerr.New(" is not a device"),
		"/machine/peripheral/nonesuch": qerr.Newc(qerr.DeviceNotFound, "Device '/machine/peripheral/nonesuch' not found"),
		"/machine":                     qerr.New("/machine is not a device"),
		"/":                            qerr.New("/ is not a device"),
		"peripheral/rp0":               qerr.Newc(qerr.DeviceNotFound, "Device 'peripheral/rp0' not found"),
		"rp0":                          qerr.New("Bus 'pcie.0' does not support hotplugging"),
		"/machine/peripheral/rp1":      qerr.New("Bus 'pcie.0' does not support hotplugging"),
		"rp0/rp0":                      qerr.New("rp0/rp0 is not a device"),
	} {
		desc(t, r.Del(id), want.(*qerr.Error).Class, want.Error())
	}
}

func TestRefusedWhileMigrating(t *testing.T) {
	r := newRig(t, 1)
	r.add(t, "driver", "widget", "id", "a", "bus", "rp0")
	r.cfg.Refuse = func(c string) error { return qerr.New("%s not allowed while migrating", c) }
	_, err := r.Add(dict("driver", "widget", "bus", "rp0"), JSON)
	desc(t, err, qerr.GenericError, "device_add not allowed while migrating")
	desc(t, r.Del("a"), qerr.GenericError, "device_del not allowed while migrating")
}

func TestPlugFailureIsUndone(t *testing.T) {
	r := newRig(t, 1)
	s := r.slot(t, "rp0")
	for _, c := range []struct {
		set  func(error)
		name string
	}{
		{func(e error) { s.refuse = e }, "pre-plug"},
		{func(e error) { s.break_ = e }, "plug"},
	} {
		c.set(errors.New(c.name))
		if _, err := r.Add(dict("driver", "virtio-rng-pci", "id", "a", "bus", "rp0", "drive", "n0"), JSON); err == nil || err.Error() != c.name {
			t.Errorf("error %v, want %s", err, c.name)
		}
		c.set(nil)
		r.grace()
		if len(r.used) != 0 {
			t.Errorf("%s: drive still in use", c.name)
		}
	}
	// The inner device had been alive the second time, and its end is told.
	if want := []string{"deleted  /machine/peripheral/a/virtio-backend"}; !slices.Equal(r.events, want) {
		t.Errorf("events %q, want %q", r.events, want)
	}
	r.add(t, "driver", "virtio-rng-pci", "id", "a", "bus", "rp0", "drive", "n0")
}

func TestPartialPathsAndBuiltins(t *testing.T) {
	r := newRig(t, 1)
	r.add(t, "driver", "widget", "id", "a", "bus", "rp0", "u32", int64(7))
	for path, want := range map[string]any{"u32": int64(7), "hotplugged": true, "realized": true, "hotpluggable": true,
		"parent_bus": "/machine/peripheral/rp0/rp0", "type": "widget", "addr": int64(-1)} {
		if v, err := r.qom.Get("a", path); err != nil || v != want {
			t.Errorf("%s is %v (%v), want %v", path, v, err, want)
		}
	}
	_, err := r.qom.Get("rp0", "type")
	desc(t, err, qerr.DeviceNotFound, "Device 'rp0' not found")
	_, err = r.qom.List("rp0")
	desc(t, err, qerr.GenericError, "Path 'rp0' is ambiguous")
	desc(t, r.qom.Set("a", "u32", int64(8)), qerr.GenericError, "Attempt to set property 'u32' on device 'a' (type 'widget') after it was realized")
	b := r.add(t, "driver", "widget", "bus", "rp0").Dev()
	desc(t, b.Set("u32", qom.JSON(int64(8))), qerr.GenericError, "Attempt to set property 'u32' on anonymous device (type 'widget') after it was realized")
}

func TestDeviceThatIsNeverPlaced(t *testing.T) {
	r := newRig(t, 0)
	d, err := r.Create("virtio-rng-pci")
	if err != nil {
		t.Fatal(err)
	}
	d.Dev().Unref()
	if d.Dev().State() != Finalized || len(r.buses["virtio-bus"]) != 0 || len(r.events) != 0 {
		t.Errorf("state %s, %d buses left, events %q", d.Dev().State(), len(r.buses["virtio-bus"]), r.events)
	}
}

func TestBusNamedLikeAProperty(t *testing.T) {
	r := newRig(t, 1)
	d := r.add(t, "driver", "pcie-root-port", "id", "chassis", "bus", "rp0")
	if b, err := r.FindBus("chassis"); err != nil || b.Path() != "/machine/peripheral/chassis/chassis[0]" {
		t.Errorf("bus %v: %v", b, err)
	}
	r.Remove(d)
	r.grace()
	if d.Dev().State() != Finalized || len(r.buses["chassis"]) != 0 {
		t.Error("something is left")
	}
}

// FuzzAdd adds devices as told by any JSON object: it works or fails with a
// message, and either way removing what came leaves nothing behind.
func FuzzAdd(f *testing.F) {
	for _, s := range []string{
		`{"driver":"widget","bus":"rp0","id":"a","u8":1}`, `{"driver":"virtio-rng","bus":"/gpex-pcihost/pcie.0/rp1/rp1","drive":"n0"}`,
		`{"driver":"pcie-root-port","id":"hotplug","bus":"rp0"}`, `{"driver":"widget","bus":"//rp0//"}`, `{"driver":"widget","id":"a[*]","bus":"rp1"}`,
		`{"driver":"dynamic"}`, `{"driver":"widget","bus":"rp0/","parent_bus":"/","type":"x","hotplugged":null}`, `{}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, _ := qobject.ParseJSON(s)
		args, ok := v.(*qobject.Dict)
		if !ok {
			return
		}
		r := newRig(t, 2)
		buses := len(r.buses)
		for _, flavour := range []Flavour{JSON, KeyVal} {
			d, err := r.Add(args, flavour)
			if err == nil {
				describe(d)
				r.Reset()
				r.Remove(d)
			} else if err.Error() == "" {
				t.Error("an error without text")
			}
			r.grace()
			if len(r.used) != 0 || len(r.buses) != buses || len(r.keyvalIDs) != 0 || r.busNamed("rp0").Len()+r.busNamed("rp1").Len() != 0 {
				t.Errorf("left behind: drives %v, %d buses, ids %v", r.used, len(r.buses)-buses, r.keyvalIDs)
			}
		}
	})
}
