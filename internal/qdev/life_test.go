package qdev

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"pgregory.net/rapid"
)

// TestMoves states the table once more, as the documentation draws it.
func TestMoves(t *testing.T) {
	legal := []string{
		"created -> realized", "created -> finalized",
		"realized -> plugged", "realized -> unplugged",
		"plugged -> unplug-requested", "plugged -> guest-acked", "plugged -> unplugged",
		"unplug-requested -> unplug-requested", "unplug-requested -> plugged", "unplug-requested -> guest-acked", "unplug-requested -> unplugged",
		"guest-acked -> unplugged",
		"unplugged -> finalized",
	}
	for from := range numStates {
		for to := range numStates {
			name := fmt.Sprintf("%s -> %s", from, to)
			if want := slices.Contains(legal, name); Legal(from, to) != want {
				t.Errorf("%s: legal is %v, want %v", name, !want, want)
			}
		}
	}
}

func TestIllegalMovePanicsWithHistory(t *testing.T) {
	r := newRig(t, 1)
	d := r.add(t, "driver", "widget", "id", "a", "bus", "rp0")
	r.now = 7
	for range 2 * historyLen {
		if err := r.Unplug(d); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(d.Dev().History()); n != historyLen {
		t.Errorf("%d entries of history, want %d", n, historyLen)
	}
	defer func() {
		s, _ := recover().(string)
		if !strings.Contains(s, "/machine/peripheral/a (widget) cannot move from unplug-requested to realized") || !strings.Contains(s, "7 ns:") {
			t.Errorf("panic %q", s)
		}
	}()
	d.Dev().move(Realized, "test")
}

func TestUnplugByGuest(t *testing.T) {
	r := newRig(t, 1)
	d := r.add(t, "driver", "virtio-rng-pci", "id", "a", "bus", "rp0", "drive", "n0")
	if err := r.Del("a"); err != nil {
		t.Fatal(err)
	}
	if d.Dev().State() != UnplugRequested || len(r.events) != 0 {
		t.Errorf("state %s, events %q", d.Dev().State(), r.events)
	}
	desc(t, r.Del("a"), qerr.GenericError, "Device a is already in the process of unplug")
	r.now = 4_998_000_000
	desc(t, r.Del("/machine/peripheral/a"), qerr.GenericError, "Device /machine/peripheral/a is already in the process of unplug")
	r.now = 5_001_000_000
	if err := r.Del("a"); err != nil {
		t.Errorf("after the grace: %v", err)
	}
	r.GuestAcked(d)
	r.Remove(d)
	desc(t, r.Del("a"), qerr.DeviceNotFound, "Device 'a' not found")
	if len(r.events) != 0 || !r.used["n0"] {
		t.Errorf("finalised before the grace period: %q", r.events)
	}
	r.grace()
	want := []string{"deleted  /machine/peripheral/a/virtio-backend", "deleted a /machine/peripheral/a"}
	if !slices.Equal(r.events, want) || len(r.used) != 0 || d.Dev().State() != Finalized {
		t.Errorf("events %q, drives %v, state %s", r.events, r.used, d.Dev().State())
	}
	if len(r.buses["virtio-bus"]) != 0 {
		t.Error("the device's bus is left")
	}
}

func TestGuestRefuses(t *testing.T) {
	r := newRig(t, 1)
	d := r.add(t, "driver", "widget", "id", "a", "bus", "rp0")
	if err := r.Del("a"); err != nil {
		t.Fatal(err)
	}
	r.GuestRefused(d)
	if want := []string{"error a /machine/peripheral/a"}; !slices.Equal(r.events, want) || d.Dev().State() != Plugged {
		t.Errorf("events %q, state %s", r.events, d.Dev().State())
	}
	if err := r.Del("a"); err != nil {
		t.Errorf("asking again: %v", err)
	}
}

func TestSomebodyHoldsOn(t *testing.T) {
	r := newRig(t, 1)
	d := r.add(t, "driver", "widget", "id", "a", "bus", "rp0", "drive", "n0")
	d.Dev().Ref()
	r.Remove(d)
	r.grace()
	if len(r.events) != 0 || !r.used["n0"] {
		t.Error("finalised although it is held")
	}
	r.add(t, "driver", "widget", "id", "a", "bus", "rp0")
	d.Dev().Unref()
	if want := []string{"deleted a /machine/peripheral/a"}; !slices.Equal(r.events, want) {
		t.Errorf("events %q", r.events)
	}
}

func TestRemovingAParentRemovesChildrenFirst(t *testing.T) {
	r := newRig(t, 1)
	p := r.add(t, "driver", "pcie-root-port", "id", "inner", "bus", "rp0")
	r.add(t, "driver", "widget", "id", "leaf", "bus", "inner")
	r.Remove(p)
	r.grace()
	want := []string{"deleted leaf /machine/peripheral/leaf", "deleted inner /machine/peripheral/inner"}
	if !slices.Equal(r.events, want) {
		t.Errorf("events %q, want %q", r.events, want)
	}
	if _, err := r.FindBus("inner"); err == nil {
		t.Error("the bus is still found")
	}
}

func TestPartWithoutBusEndsWithTheWhole(t *testing.T) {
	r := newRig(t, 0)
	d, err := r.Create("gpex-pcihost")
	if err != nil {
		t.Fatal(err)
	}
	part := &d.(*host).Root
	if err := r.Realize(part, nil); err != nil {
		t.Fatal(err)
	}
	r.Unparent(d)
	d.Dev().Unref()
	if part.State() != Finalized || part.undone != 1 || d.Dev().State() != Finalized {
		t.Errorf("part %s, whole %s", part.State(), d.Dev().State())
	}
}

func TestReset(t *testing.T) {
	r := newRig(t, 1)
	d := r.add(t, "driver", "widget", "bus", "rp0").(*widget)
	if d.resets != 1 {
		t.Errorf("%d resets by hot-plug, want 1", d.resets)
	}
	r.Reset()
	if d.resets != 2 {
		t.Errorf("%d resets, want 2", d.resets)
	}
}

func TestClose(t *testing.T) {
	r := newRig(t, 2)
	d := r.add(t, "driver", "virtio-rng-pci", "id", "a", "bus", "rp0", "drive", "n0")
	r.Close()
	r.grace()
	if d.Dev().State() != Finalized || len(r.events) != 0 || len(r.used) != 0 || len(r.buses) != 1 {
		t.Errorf("state %s, events %q, drives %v, %d buses", d.Dev().State(), r.events, r.used, len(r.buses))
	}
}

// machine is the state machine of TestPlugging: what should be where.
type machine struct {
	*rig
	t     *rapid.T
	slots []string          // bus names
	where map[string]string // id -> bus
	drive map[string]string // id -> drive
	ended int
}

func (m *machine) id() string  { return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(m.t, "id") }
func (m *machine) bus() string { return rapid.SampledFrom(m.slots).Draw(m.t, "bus") }

func (m *machine) count(bus string) (n int) {
	for _, b := range m.where {
		if b == bus {
			n++
		}
	}
	return n
}

func (m *machine) add(t *rapid.T) {
	m.t = t
	id, bus, drive := m.id(), m.bus(), rapid.SampledFrom([]string{"", "n0", "n1", "n9"}).Draw(t, "drive")
	class := rapid.SampledFrom([]string{"widget", "virtio-rng-pci"}).Draw(t, "class")
	fail := rapid.SampledFrom([]string{"", "", "", "x-fail", "x-fail-late"}).Draw(t, "fail")
	args := dict("driver", class, "id", id, "bus", bus)
	if drive != "" {
		args.Set("drive", drive)
	}
	if fail != "" {
		args.Set(fail, true)
	}
	_, dup := m.where[id]
	bad := dup || m.count(bus) == 2 || drive == "n9" || (drive != "" && m.used[drive]) || fail != ""
	_, err := m.Add(args, JSON)
	if (err != nil) != bad {
		t.Fatalf("device_add %s on %s with %q: %v; should fail: %v", id, bus, drive, err, bad)
	}
	if err != nil {
		m.grace()
		return
	}
	m.where[id], m.drive[id] = bus, drive
}

func (m *machine) del(t *rapid.T) {
	m.t = t
	id := m.id()
	_, there := m.where[id]
	d, _ := m.Find(id)
	pending := there && d.Dev().deletePending && d.Dev().deleteExpires > m.nowMS()
	if err := m.Del(id); (err == nil) != (there && !pending) {
		t.Fatalf("device_del %s: %v; there %v, pending %v", id, err, there, pending)
	}
}

func (m *machine) guest(t *rapid.T) {
	m.t = t
	id := m.id()
	d, err := m.Find(id)
	if err != nil {
		return
	}
	if s := d.Dev().State(); s == UnplugRequested && rapid.Bool().Draw(t, "refuses") {
		m.GuestRefused(d)
		return
	}
	m.GuestAcked(d)
	m.Remove(d)
	delete(m.where, id)
	delete(m.drive, id)
	m.ended++
}

func (m *machine) check(t *rapid.T) {
	on := 0
	for _, s := range m.slots {
		b := m.busNamed(s)
		if b.Len() != m.count(s) {
			t.Fatalf("%d devices on %s, want %d", b.Len(), s, m.count(s))
		}
		on += b.Len()
	}
	for id, bus := range m.where {
		d, err := m.Find(id)
		if err != nil || d.Dev().Bus().BusName() != bus || !d.Dev().Realized() {
			t.Fatalf("%s should be on %s: %v", id, bus, err)
		}
		if dr := m.drive[id]; dr != "" && !m.used[dr] {
			t.Fatalf("%s lost drive %s", id, dr)
		}
	}
	if len(m.queue) > 0 {
		return
	}
	held := 0
	for _, dr := range m.drive {
		if dr != "" {
			held++
		}
	}
	if len(m.used) != held {
		t.Fatalf("drives in use %v, by devices %v", m.used, m.drive)
	}
	deleted := 0
	for _, e := range m.events {
		if strings.HasPrefix(e, "deleted ") && !strings.HasSuffix(e, "/virtio-backend") {
			deleted++
		}
	}
	if deleted != m.ended {
		t.Fatalf("%d devices reported deleted, %d removed", deleted, m.ended)
	}
}

// TestPlugging plugs, unplugs, fails, forgets and comes back at random.
func TestPlugging(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{rig: newRig(t, 2), slots: []string{"rp0", "rp1"}, where: map[string]string{}, drive: map[string]string{}}
		rt.Repeat(map[string]func(*rapid.T){
			"add":   m.add,
			"del":   m.del,
			"guest": m.guest,
			"grace": func(*rapid.T) { m.grace() },
			"time":  func(t *rapid.T) { m.now += rapid.Int64Range(0, GuestGrace).Draw(t, "ns") },
			"":      m.check,
		})
		m.Close()
		m.grace()
		if len(m.used) != 0 {
			rt.Fatalf("drives in use after the end: %v", m.used)
		}
	})
}
