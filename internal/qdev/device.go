package qdev

import (
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qom"
)

// A Device is anything that embeds [Base].
type Device interface {
	// Dev returns the embedded Base.
	Dev() *Base
}

// Initer is a device that has something to set up when it is created, after
// its properties have their defaults.
type Initer interface{ Init() }

// Realizer is a device that has something to do to come alive. Its properties
// are set; what it does here must be invisible to the guest until the hot-plug
// handler's Plug, which follows. On error it has undone what it did.
type Realizer interface{ Realize() error }

// Unrealizer undoes Realize. The guest no longer sees the device, but readers
// of the memory map may still reach it until it is finalised.
type Unrealizer interface{ Unrealize() }

// Resetter is a device with a reset state.
type Resetter interface{ Reset() }

// Finalizer is a device that has something to free when nobody can reach it
// any more.
type Finalizer interface{ Finalize() }

// Base is what all devices have. Its exported methods may be called from the
// device's own code, under the BQL.
type Base struct {
	qom.Object
	tree       *Tree
	self       Device
	class      *Class
	id         string
	keyvalID   bool   // the id came from a key=value option
	path       string // canonical, from realize on
	bus        *Bus   // sits on
	link       string // its name as a property of bus
	buses      []*Bus // has
	hotplugged bool
	realized   bool
	life       life
	guard      mem.Guard

	deletePending bool  // DEVICE_DELETED will tell of the end
	deleteExpires int64 // virtual ms until which device_del is refused; 0 for ever
}

// Dev returns b.
func (b *Base) Dev() *Base { return b }

// IOGuard implements [mem.Owner].
func (b *Base) IOGuard() *mem.Guard { return &b.guard }

// Tree returns the tree that the device was created in.
func (b *Base) Tree() *Tree { return b.tree }

// Class returns the device's class.
func (b *Base) Class() *Class { return b.class }

// ID returns the id the user gave, or "".
func (b *Base) ID() string { return b.id }

// Bus returns the bus the device sits on, or nil.
func (b *Base) Bus() *Bus { return b.bus }

// Buses returns the buses the device has; the caller must not change the
// slice.
func (b *Base) Buses() []*Bus { return b.buses }

// Hotplugged tells whether the device came while the machine ran.
func (b *Base) Hotplugged() bool { return b.hotplugged }

// Realized tells whether the device is alive.
func (b *Base) Realized() bool { return b.realized }

// State returns where the device is in its life.
func (b *Base) State() State { return b.life.state }

// CanonicalPath returns the path in the object tree; after the device was
// taken out of it, the path it had.
func (b *Base) CanonicalPath() string {
	if b.path != "" {
		return b.path
	}
	return b.Path()
}

// Label returns what to call the device in a message: its id, or its type.
func (b *Base) Label() string {
	if b.id != "" {
		return b.id
	}
	return b.class.Name
}

// Hotpluggable tells whether the device can be unplugged where it is.
func (b *Base) Hotpluggable() bool {
	return !b.class.NotHotpluggable && (b.bus == nil || b.bus.Hotpluggable())
}
