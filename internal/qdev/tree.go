package qdev

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Config is what a Tree needs from its machine. All functions are called under
// the BQL.
type Config struct {
	Registry *Registry
	QOM      *qom.Tree     // devices go below /machine in it
	RCU      mem.Reclaimer // defers what has to outlive readers
	Clock    func() int64  // virtual clock, ns

	// Deleted tells of the end of a device that was realized and was to be
	// reported (event DEVICE_DELETED); id is "" if it had none.
	Deleted func(id, path string)
	// UnplugError tells that the guest refused to let a device go (event
	// DEVICE_UNPLUG_GUEST_ERROR); may be nil.
	UnplugError func(id, path string)
	// Backends finds what drive properties name; may be nil if none are used.
	Backends Backends
	// Handler returns the machine's own hot-plug handler for d, which comes
	// before the bus's, or nil; may be nil.
	Handler func(d Device) HotplugHandler
	// AllowSysbus tells whether the user may add a dynamic system-bus device;
	// may be nil.
	AllowSysbus func(class string) bool
	// Refuse, if it returns an error, makes device_add and device_del fail
	// ("device_add not allowed while migrating"); may be nil.
	Refuse func(command string) error
}

// Tree is the devices of one machine.
type Tree struct {
	cfg   Config
	reg   *Registry
	rcu   mem.Reclaimer
	qom   *qom.Tree
	main  *Bus // main-system-bus
	ready bool // the machine is built: what comes now is hot-plugged

	peripheral, anon, unattached *qom.Object
	anonCount, unattachedCount   int
	buses                        map[string][]*Bus
	autoBus                      map[string]int
	keyvalIDs                    map[string]struct{} // until the device is finalised
	closing                      bool
}

// New returns a Tree with the system bus and no devices.
func New(c Config) *Tree {
	t := &Tree{
		cfg: c, reg: c.Registry, rcu: c.RCU, qom: c.QOM,
		peripheral: c.QOM.Container("/machine/peripheral"),
		anon:       c.QOM.Container("/machine/peripheral-anon"),
		unattached: c.QOM.Container("/machine/unattached"),
		buses:      make(map[string][]*Bus), autoBus: make(map[string]int),
		keyvalIDs: make(map[string]struct{}),
	}
	t.main = new(Bus)
	t.InitBus(t.main, t.main, nil, "System", "main-system-bus")
	must(t.unattached.AddChild("sysbus", &t.main.Object))
	return t
}

// SystemBus returns the bus that everything hangs from.
func (t *Tree) SystemBus() *Bus { return t.main }

// QOM returns the object tree that the devices are in.
func (t *Tree) QOM() *qom.Tree { return t.qom }

// Registry returns the classes that devices can have.
func (t *Tree) Registry() *Registry { return t.reg }

// SetReady says that the machine is built: devices that come after this are
// hot-plugged, and only where that is possible.
func (t *Tree) SetReady() { t.ready = true }

// Ready tells whether [Tree.SetReady] was called.
func (t *Tree) Ready() bool { return t.ready }

func (t *Tree) clock() int64 { return t.cfg.Clock() }
func (t *Tree) nowMS() int64 { return t.cfg.Clock() / nsPerMS }

// Create makes a device of the class called name for the board's own code. The
// caller sets its properties, realizes it, and then drops its reference.
func (t *Tree) Create(name string) (Device, error) {
	c := t.reg.classes[name]
	if c == nil || c.Abstract {
		return nil, qerr.New("'%s' is not a valid device model name", name)
	}
	return t.newDevice(c), nil
}

func (t *Tree) newDevice(c *Class) Device {
	d := c.New()
	t.initDevice(d, c)
	return d
}

// initDevice makes d an object of class c, with the devices it contains.
func (t *Tree) initDevice(d Device, c *Class) {
	b := d.Dev()
	*b = Base{tree: t, self: d, class: c, hotplugged: t.ready}
	b.Object.Init(c.Name, d, c.table, b.finalize)
	c.table.setDefaults(d)
	for _, p := range c.table.parts {
		part := p.of(d)
		t.initDevice(part, p.class)
		must(b.AddChild(p.name, &part.Dev().Object))
		part.Dev().Unref() // the containing device's reference stays
	}
	if i, ok := d.(Initer); ok {
		i.Init()
	}
}

// Realize brings d to life on bus (nil for none) and plugs it. If it fails,
// all is as it was before, but that an object without parent stays one.
func (t *Tree) Realize(d Device, bus *Bus) error {
	b := d.Dev()
	var undo Cleanup
	defer undo.Run()
	if b.hotplugged && b.class.NotHotpluggable {
		return qerr.New("Device '%s' does not support hotplugging", b.class.Name)
	}
	if b.Parent() == nil {
		name := fmt.Sprintf("device[%d]", t.unattachedCount)
		t.unattachedCount++
		if err := t.unattached.AddChild(name, &b.Object); err != nil {
			return err
		}
		undo.Add(b.Unparent)
	}
	if bus != nil {
		bus.attach(b)
		undo.Add(func() { bus.detach(b) })
	}
	handler := t.handler(b)
	if handler != nil {
		if err := handler.PrePlug(d); err != nil {
			return err
		}
	}
	if r, ok := d.(Realizer); ok {
		if err := r.Realize(); err != nil {
			return err
		}
	}
	b.path = b.Path()
	b.realized = true
	b.move(Realized, "realize")
	undo.Add(func() { t.unrealize(b, false) })
	if b.hotplugged {
		t.ResetDevice(d)
	}
	b.deletePending = false
	if handler != nil {
		if err := handler.Plug(d); err != nil {
			return err
		}
	}
	b.move(Plugged, "plug")
	undo.Release()
	return nil
}

// handler returns who is told that b comes and goes, or nil.
func (t *Tree) handler(b *Base) HotplugHandler {
	if t.cfg.Handler != nil {
		if h := t.cfg.Handler(b.self); h != nil {
			return h
		}
	}
	if b.bus != nil {
		return b.bus.handler
	}
	return nil
}
