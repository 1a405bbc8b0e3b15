// Package slot is the hot-plug slot of a PCI Express port as a state machine:
// register writes, plugs, unplug requests and resets go in; register values and
// what the port must do about them (signal, power, remove) come out.
//
// It does no I/O: a port owns a Slot, mirrors its registers into the port's
// configuration space and carries out the returned Actions. Goroutines: none.
// Locks: none; the owner serialises (device emulation runs under the BQL).
// Nothing blocks or allocates.
//
// The slot has every element but an MRL sensor, so presence and power are what
// a guest sees change; commands complete at once. The behaviour is that of
// QEMU 10.0's root port, observed at register level; the registers are those of
// PCIe 5.0 §7.5.3.9 to §7.5.3.11, the protocol that of §6.7.
package slot

import "github.com/backplane-vm/backplane/qapi/qerr"

// Config is what a port fixes when it is made.
type Config struct {
	Number          uint16 // physical slot number, 13 bits
	HotPlug         bool   // the slot can be plugged and unplugged at run time
	HideHotPlug     bool   // but does not say so to the guest
	PowerController bool   // the guest switches power
}

// Actions is what the port has to do after an input, in the order of the bits.
type Actions uint8

const (
	// RemoveAll asks for every function behind the port to be removed: the
	// guest let go of them, or nobody has to be asked.
	RemoveAll Actions = 1 << iota
	// RemoveOne asks for the one function of the request to be removed.
	RemoveOne
	// PowerChanged says that Powered has a new value for what is plugged.
	PowerChanged
	// Signal is a rising edge of the hot-plug interrupt: one message if
	// the port signals by message.
	Signal
	// Changed says that some register changed, so mirrors are stale and a
	// level-triggered interrupt line takes the value of Pending.
	Changed
)

// maxFunctions is how many device-function numbers one bus has.
const maxFunctions = 256

// Slot is the state of one slot. Make it with New.
type Slot struct {
	cfg      Config
	capable  uint32
	control  uint16
	status   uint16
	link     bool // data link layer active
	notified bool // hot-plug interrupt pending as last reported
	present  [maxFunctions / 64]uint64
}

// New returns an empty slot after reset.
func New(cfg Config) *Slot {
	s := &Slot{cfg: cfg, capable: capabilities(cfg)}
	s.Reset()
	return s
}

func capabilities(cfg Config) uint32 {
	c := uint32(CapAttentionButton | CapAttentionIndicator | CapPowerIndicator | CapInterlock)
	if cfg.PowerController {
		c |= CapPowerController
	}
	if cfg.HotPlug {
		c |= CapSurprise
		if !cfg.HideHotPlug {
			c |= CapHotPlug
		}
	}
	return c | uint32(cfg.Number)<<capNumberShift
}

// Capabilities, Control and Status are the slot's registers as the guest reads
// them.
func (s *Slot) Capabilities() uint32 { return s.capable }

// Control is the slot control register.
func (s *Slot) Control() uint16 { return s.control }

// Status is the slot status register.
func (s *Slot) Status() uint16 { return s.status }

// LinkActive is the Data Link Layer Link Active bit of the link status register.
func (s *Slot) LinkActive() bool { return s.link }

// Powered says whether what is plugged has power. A function without power
// answers nothing.
func (s *Slot) Powered() bool {
	return !s.cfg.PowerController || s.control&ControlPowerOff == 0
}

// Pending is the level of the hot-plug interrupt: the guest enabled it and an
// event that it enabled is set in the status (PCIe 5.0 §6.7.3.4).
func (s *Slot) Pending() bool {
	return s.control&ControlInterrupt != 0 && s.status&s.control&signalled != 0
}

// Occupied says whether a function with that device-function number is plugged,
// exposed to the guest or not.
func (s *Slot) Occupied(devfn uint8) bool {
	return s.present[devfn/64]&(1<<(devfn%64)) != 0
}

// exposed says whether the guest has been shown what is plugged: function 0 is
// what a port looks at, so others wait for it.
func (s *Slot) exposed() bool { return s.Occupied(0) }

// Reset is a reset of the machine: control and events go to their defaults,
// power follows presence, the interlock opens. A request that waits for the
// guest is forgotten; what is plugged stays.
func (s *Slot) Reset() Actions {
	was := *s
	s.control = ControlPowerIndicatorOff | ControlAttentionIndicatorOff
	s.status &^= events | StatusInterlock
	if s.cfg.PowerController && !s.exposed() {
		s.control |= ControlPowerOff
	}
	return s.since(was)
}

// WriteControl is a guest write of the whole slot control register. Narrower
// writes are merged by the caller. Every one is a command, and completes.
func (s *Slot) WriteControl(v uint16) Actions {
	was := *s
	writable := uint16(controlWritable)
	if s.cfg.PowerController {
		writable |= ControlPowerOff
	}
	s.control = s.control&^writable | v&writable
	if v&ControlInterlockToggle != 0 {
		s.status ^= StatusInterlock
	}
	var act Actions
	if s.status&StatusPresence != 0 && s.off(s.control) && !s.off(was.control) {
		act = RemoveAll
		s.vacate()
	}
	s.status |= StatusCommandCompleted
	return act | s.since(was)
}

// WriteStatus is a guest write of the whole slot status register: ones clear
// events. A guest that writes a one over an event that is not set did not
// look, as some do once at start; clearing then would lose an event that came
// in the meantime, so such a write clears nothing.
func (s *Slot) WriteStatus(v uint16) Actions {
	was := *s
	if v&^s.status&events == 0 {
		s.status &^= v & events
	}
	return s.since(was)
}

// CanPlug says why a function cannot be plugged now, or nil. port is the id of
// the port for the message; hotplugged tells a plug at run time from one before
// the machine starts.
func (s *Slot) CanPlug(port string, hotplugged bool) error {
	if hotplugged && s.capable&CapHotPlug == 0 {
		return qerr.New("Hot-plug failed: unsupported by the port device '%s'", port)
	}
	return s.locked()
}

func (s *Slot) locked() error {
	if s.status&StatusInterlock != 0 {
		return qerr.New("slot is electromechanically locked: Device or resource busy")
	}
	return nil
}

// Plug says that a function was plugged after CanPlug agreed. The guest learns
// of it when function 0 is there; functions plugged before the machine starts
// are simply present.
func (s *Slot) Plug(devfn uint8, hotplugged bool) Actions {
	was := *s
	s.present[devfn/64] |= 1 << (devfn % 64)
	if !hotplugged || s.exposed() {
		s.status |= StatusPresence
		s.link = true
	}
	if hotplugged && s.exposed() {
		s.status |= StatusPresenceChanged | StatusAttention
	}
	return PowerChanged | s.since(was)
}

// RequestUnplug asks for a function to go. The answer is RemoveOne when the
// guest never saw it, RemoveAll when the slot is off, and otherwise the
// attention button is pressed and the guest decides. An error changes nothing.
func (s *Slot) RequestUnplug(port string, devfn uint8) (Actions, error) {
	was := *s
	if s.capable&CapHotPlug == 0 {
		return 0, qerr.New("Hot-unplug failed: unsupported by the port device '%s'", port)
	}
	if err := s.locked(); err != nil {
		return 0, err
	}
	if s.control&ControlPowerIndicator == ControlPowerIndicatorBlink {
		return 0, qerr.New("Hot-unplug failed: guest is busy (power indicator blinking)")
	}
	if devfn != 0 && !s.exposed() {
		s.forget(devfn)
		return RemoveOne | s.since(was), nil
	}
	if s.off(s.control) {
		s.vacate()
		s.status &^= StatusAttention
		return RemoveAll | s.since(was), nil
	}
	s.status |= StatusAttention
	return s.since(was), nil
}

// Removed says that a function is gone for a reason of its own, such as a
// failed realize after Plug or the end of the machine; the guest is not asked.
func (s *Slot) Removed(devfn uint8) Actions {
	was := *s
	s.forget(devfn)
	if s.present == [len(s.present)]uint64{} {
		s.status &^= StatusPresence
		s.link = false
	}
	return s.since(was)
}

// off says whether control has both the power and the power indicator off,
// which is how a guest says that it has let go.
func (s *Slot) off(control uint16) bool {
	return control&ControlPowerOff != 0 && control&ControlPowerIndicator == ControlPowerIndicatorOff
}

func (s *Slot) forget(devfn uint8) { s.present[devfn/64] &^= 1 << (devfn % 64) }

// vacate empties the slot: presence and link go, and the guest may be told.
func (s *Slot) vacate() {
	s.present = [len(s.present)]uint64{}
	s.status = s.status&^StatusPresence | StatusPresenceChanged
	s.link = false
}

// since compares with the state before an input, and moves the interrupt's
// remembered level.
func (s *Slot) since(was Slot) Actions {
	var act Actions
	if s.Powered() != was.Powered() {
		act |= PowerChanged
	}
	if p := s.Pending(); p != s.notified {
		s.notified = p
		if p {
			act |= Signal
		}
		act |= Changed
	}
	if s.control != was.control || s.status != was.status || s.link != was.link {
		act |= Changed
	}
	return act
}
