package slot

import (
	"testing"

	"pgregory.net/rapid"
)

// full is the slot of a root port with default properties.
var full = Config{HotPlug: true, PowerController: true}

// regs is what a step is expected to leave.
type regs struct {
	control, status uint16
	link            bool
}

func (r regs) check(t *testing.T, s *Slot, step string) {
	t.Helper()
	if got := (regs{s.Control(), s.Status(), s.LinkActive()}); got != r {
		t.Errorf("%s: got control %#04x status %#04x link %v, want %#04x %#04x %v",
			step, got.control, got.status, got.link, r.control, r.status, r.link)
	}
}

func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want uint32
	}{
		{full, 0x0002007b},
		{Config{HotPlug: true, PowerController: true, Number: 3}, 0x001a007b},
		{Config{HotPlug: true}, 0x00020079},
		{Config{PowerController: true}, 0x0002001b},
		{Config{HotPlug: true, HideHotPlug: true, PowerController: true}, 0x0002003b},
	} {
		if got := New(c.cfg).Capabilities(); got != c.want {
			t.Errorf("%+v: %#08x, want %#08x", c.cfg, got, c.want)
		}
	}
}

// The values of these sequences were read from QEMU 10.0's root port.
func TestObserved(t *testing.T) {
	const off, on, blink = 0x0700, 0x0100, 0x0200
	type step struct {
		name string
		do   func(s *Slot) (Actions, error)
		want regs
		act  Actions // among RemoveAll and RemoveOne
		err  string
	}
	reset := func(s *Slot) (Actions, error) { return s.Reset(), nil }
	boot := func(s *Slot) (Actions, error) { return s.Plug(0, false) | s.Reset(), nil }
	plug := func(fn uint8) func(*Slot) (Actions, error) {
		return func(s *Slot) (Actions, error) {
			if err := s.CanPlug("rp", true); err != nil {
				return 0, err
			}
			return s.Plug(fn, true), nil
		}
	}
	del := func(fn uint8) func(*Slot) (Actions, error) {
		return func(s *Slot) (Actions, error) { return s.RequestUnplug("rp", fn) }
	}
	ctl := func(v uint16) func(*Slot) (Actions, error) {
		return func(s *Slot) (Actions, error) { return s.WriteControl(v), nil }
	}
	sta := func(v uint16) func(*Slot) (Actions, error) {
		return func(s *Slot) (Actions, error) { return s.WriteStatus(v), nil }
	}
	const busy = "Hot-unplug failed: guest is busy (power indicator blinking)"
	const locked = "slot is electromechanically locked: Device or resource busy"
	for name, steps := range map[string][]step{
		"empty": {{"reset", reset, regs{0x07c0, 0, false}, 0, ""}},
		"occupied at boot": {
			{"boot", boot, regs{0x03c0, 0x0040, true}, 0, ""},
		},
		"guest lets go": {
			{"boot", boot, regs{0x03c0, 0x0040, true}, 0, ""},
			{"on", ctl(on), regs{0x0100, 0x0050, true}, 0, ""},
			{"clear", sta(0x10), regs{0x0100, 0x0040, true}, 0, ""},
			{"device_del", del(0), regs{0x0100, 0x0041, true}, 0, ""},
			{"off", ctl(off), regs{0x0700, 0x0019, false}, RemoveAll, ""},
			{"off again", ctl(off), regs{0x0700, 0x0019, false}, 0, ""},
		},
		"reset forgets the request": {
			{"boot", boot, regs{0x03c0, 0x0040, true}, 0, ""},
			{"device_del", del(0), regs{0x03c0, 0x0041, true}, 0, ""},
			{"reset", reset, regs{0x03c0, 0x0040, true}, 0, ""},
		},
		"blinking": {
			{"boot", boot, regs{0x03c0, 0x0040, true}, 0, ""},
			{"blink", ctl(blink), regs{0x0200, 0x0050, true}, 0, ""},
			{"device_del", del(0), regs{0x0200, 0x0050, true}, 0, busy},
		},
		"interlock": {
			{"lock", ctl(0x0fc0), regs{0x07c0, 0x0090, false}, 0, ""},
			{"device_add", plug(0), regs{0x07c0, 0x0090, false}, 0, locked},
			{"device_del", del(0), regs{0x07c0, 0x0090, false}, 0, locked},
			{"unlock", ctl(0x0fc0), regs{0x07c0, 0x0010, false}, 0, ""},
		},
		"hot-add and delete while off": {
			{"device_add", plug(0), regs{0x07c0, 0x0049, true}, 0, ""},
			{"device_del", del(0), regs{0x07c0, 0x0008, false}, RemoveAll, ""},
		},
		"function 0 last": {
			{"function 1", plug(1), regs{0x07c0, 0x0000, false}, 0, ""},
			{"function 0", plug(0), regs{0x07c0, 0x0049, true}, 0, ""},
		},
		"function 1 alone goes at once": {
			{"function 1", plug(1), regs{0x07c0, 0x0000, false}, 0, ""},
			{"device_del", del(1), regs{0x07c0, 0x0000, false}, RemoveOne, ""},
		},
		"overwriting a powered-off slot keeps the device": {
			{"device_add", plug(0), regs{0x07c0, 0x0049, true}, 0, ""},
			{"off", ctl(off), regs{0x0700, 0x0059, true}, 0, ""},
			{"on", ctl(on), regs{0x0100, 0x0059, true}, 0, ""},
		},
		"clearing what was not set clears nothing": {
			{"device_add", plug(0), regs{0x07c0, 0x0049, true}, 0, ""},
			{"clear all", sta(0x001f), regs{0x07c0, 0x0049, true}, 0, ""},
			{"clear seen", sta(0x0009), regs{0x07c0, 0x0040, true}, 0, ""},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := New(full)
			for _, st := range steps {
				act, err := st.do(s)
				if (err == nil) != (st.err == "") || err != nil && err.Error() != st.err {
					t.Fatalf("%s: error %v, want %q", st.name, err, st.err)
				}
				if got := act & (RemoveAll | RemoveOne); got != st.act {
					t.Errorf("%s: actions %b, want %b", st.name, got, st.act)
				}
				st.want.check(t, s, st.name)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	s := New(Config{PowerController: true})
	if err := s.CanPlug("rp2", false); err != nil {
		t.Errorf("cold plug: %v", err)
	}
	const noAdd = "Hot-plug failed: unsupported by the port device 'rp2'"
	if err := s.CanPlug("rp2", true); err == nil || err.Error() != noAdd {
		t.Errorf("hot plug: %v, want %s", err, noAdd)
	}
	const noDel = "Hot-unplug failed: unsupported by the port device 'rp2'"
	if _, err := s.RequestUnplug("rp2", 0); err == nil || err.Error() != noDel {
		t.Errorf("unplug: %v, want %s", err, noDel)
	}
}

func TestInterrupt(t *testing.T) {
	s := New(full)
	if act := s.Plug(0, true); act&Signal != 0 || s.Pending() {
		t.Errorf("signalled with interrupts off: %b", act)
	}
	if act := s.WriteControl(0x07c0 | ControlInterrupt | ControlPresenceEnable); act&Signal == 0 || !s.Pending() {
		t.Errorf("enabling with an event pending does not signal: %b", act)
	}
	if act := s.WriteStatus(0x0019); act&Signal != 0 || s.Pending() {
		t.Errorf("pending after the events were cleared: %b", act)
	}
	if act := s.WriteControl(0x0120 | ControlAttentionEnable); s.Pending() {
		t.Errorf("command completion signalled although not enabled: %b", act)
	}
	act, err := s.RequestUnplug("rp", 0)
	if err != nil || act&Signal == 0 || !s.Pending() {
		t.Errorf("attention press: %b, %v, pending %v", act, err, s.Pending())
	}
	if act := s.Reset(); s.Pending() || act&Signal != 0 {
		t.Errorf("pending after reset: %b", act)
	}
}

func TestPower(t *testing.T) {
	s := New(full)
	if s.Powered() {
		t.Error("an empty slot has power")
	}
	if act := s.Plug(0, true); act&PowerChanged == 0 || s.Powered() {
		t.Errorf("hot-added function: actions %b, powered %v", act, s.Powered())
	}
	if act := s.WriteControl(0x0100); act&PowerChanged == 0 || !s.Powered() {
		t.Errorf("power on: actions %b, powered %v", act, s.Powered())
	}
	if s := New(Config{HotPlug: true}); !s.Powered() {
		t.Error("a slot without a power controller is off")
	}
}

// model is the slot driven at random, next to what a port would know.
type model struct {
	s       *Slot
	plugged map[uint8]bool
	level   bool
}

func (m *model) apply(t *rapid.T, act Actions, one uint8) {
	if act&RemoveAll != 0 {
		clear(m.plugged)
	}
	if act&RemoveOne != 0 {
		delete(m.plugged, one)
	}
	if act&(RemoveAll|RemoveOne) == RemoveAll|RemoveOne {
		t.Fatal("removes one and all")
	}
	rose := !m.level && m.s.Pending()
	if rose != (act&Signal != 0) {
		t.Fatalf("edge %v but actions %b", rose, act)
	}
	if m.level != m.s.Pending() && act&Changed == 0 {
		t.Fatal("the level moved unannounced")
	}
	m.level = m.s.Pending()
}

func TestRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{HotPlug: true, PowerController: rapid.Bool().Draw(t, "pcp")}
		m := &model{s: New(cfg), plugged: map[uint8]bool{}}
		devfn := rapid.SampledFrom([]uint8{0, 1, 7, 8, 255})
		t.Repeat(map[string]func(*rapid.T){
			"control": func(t *rapid.T) { m.apply(t, m.s.WriteControl(rapid.Uint16().Draw(t, "v")), 0) },
			"status":  func(t *rapid.T) { m.apply(t, m.s.WriteStatus(rapid.Uint16().Draw(t, "v")), 0) },
			"reset":   func(t *rapid.T) { m.apply(t, m.s.Reset(), 0) },
			"plug": func(t *rapid.T) {
				fn := devfn.Draw(t, "fn")
				if m.plugged[fn] || m.s.CanPlug("rp", true) != nil {
					t.Skip()
				}
				m.plugged[fn] = true
				m.apply(t, m.s.Plug(fn, true), 0)
			},
			"unplug": func(t *rapid.T) {
				fn := devfn.Draw(t, "fn")
				if !m.plugged[fn] {
					t.Skip()
				}
				was := *m.s
				act, err := m.s.RequestUnplug("rp", fn)
				if err != nil && (act != 0 || was != *m.s) {
					t.Fatalf("refused (%v) and changed", err)
				}
				m.apply(t, act, fn)
			},
			"": func(t *rapid.T) { m.invariants(t) },
		})
	})
}

func (m *model) invariants(t *rapid.T) {
	s := m.s
	for fn := range 256 {
		if s.Occupied(uint8(fn)) != m.plugged[uint8(fn)] {
			t.Fatalf("function %d: slot says %v, bus says %v", fn, s.Occupied(uint8(fn)), m.plugged[uint8(fn)])
		}
	}
	if present := s.Status()&StatusPresence != 0; present != m.plugged[0] || present != s.LinkActive() {
		t.Fatalf("presence %v, link %v, function 0 %v", present, s.LinkActive(), m.plugged[0])
	}
	if s.Control()&ControlInterlockToggle != 0 {
		t.Fatal("the interlock control reads back")
	}
	if s.Status()&^(signalled|StatusPresence|StatusInterlock) != 0 {
		t.Fatalf("status %#x has bits that nothing sets", s.Status())
	}
}

// FuzzSlot feeds a byte string as inputs: nothing may panic, and an interrupt
// must be announced whenever it becomes pending.
func FuzzSlot(f *testing.F) {
	f.Add([]byte{0, 0x20, 0x01, 2, 0, 0, 3, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		s := New(full)
		for ; len(in) >= 3; in = in[3:] {
			v := uint16(in[1]) | uint16(in[2])<<8
			was := s.Pending()
			var act Actions
			switch in[0] % 6 {
			case 0:
				act = s.WriteControl(v)
			case 1:
				act = s.WriteStatus(v)
			case 2:
				act = s.Plug(in[1], true)
			case 3:
				act, _ = s.RequestUnplug("rp", in[1])
			case 4:
				act = s.Reset()
			case 5:
				act = s.Removed(in[1])
			}
			if (!was && s.Pending()) != (act&Signal != 0) {
				t.Fatalf("pending %v -> %v with actions %b", was, s.Pending(), act)
			}
		}
	})
}

func BenchmarkWriteControl(b *testing.B) {
	b.ReportAllocs()
	s := New(full)
	for b.Loop() {
		s.WriteControl(0x0120)
		s.WriteStatus(StatusCommandCompleted)
	}
}
