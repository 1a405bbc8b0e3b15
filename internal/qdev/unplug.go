package qdev

import (
	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Find returns the device that device_del means by id: one below
// /machine/peripheral, or an absolute path.
func (t *Tree) Find(id string) (Device, error) {
	o := t.qom.ResolveFrom(t.peripheral, id)
	if o == nil {
		return nil, notFound(id)
	}
	d, ok := o.Self().(Device)
	if !ok {
		return nil, qerr.New("%s is not a device", id)
	}
	return d, nil
}

// Del is the command device_del: it starts the removal of a device and returns
// at once. The device is gone when [Config].Deleted says so.
func (t *Tree) Del(id string) error {
	d, err := t.Find(id)
	if err != nil {
		return err
	}
	b := d.Dev()
	awaited := b.deletePending && (b.deleteExpires == 0 || b.deleteExpires > t.nowMS())
	if awaited && !mutant.Planted("qdev-asks-twice") {
		return qerr.New("Device %s is already in the process of unplug", id)
	}
	return t.Unplug(d)
}

// Unplug asks for the removal of d as [Tree.Del] does, but does not mind that
// it was asked for before.
func (t *Tree) Unplug(d Device) error {
	b := d.Dev()
	if b.bus != nil && !b.bus.Hotpluggable() {
		return errBus(b.bus)
	}
	if b.class.NotHotpluggable {
		return qerr.New("Device '%s' does not support hotplugging", b.class.Name)
	}
	handler := t.handler(b)
	if handler == nil {
		return qerr.New("Device '%s' can not be hotplugged on this machine", b.class.Name)
	}
	if t.cfg.Refuse != nil {
		if err := t.cfg.Refuse("device_del"); err != nil {
			return err
		}
	}
	r, asks := handler.(UnplugRequester)
	if !asks {
		t.Remove(d)
		return nil
	}
	if err := r.UnplugRequest(d); err != nil {
		return err
	}
	if s := b.life.state; s == Plugged || s == UnplugRequested {
		b.move(UnplugRequested, "device_del")
	}
	return nil
}

// GuestAcked notes that the guest let d go, whether it was asked or not.
// [Tree.Remove] follows.
func (t *Tree) GuestAcked(d Device) { d.Dev().move(GuestAcked, "guest") }

// GuestRefused notes that the guest keeps d, which it was asked to let go.
func (t *Tree) GuestRefused(d Device) {
	b := d.Dev()
	b.move(Plugged, "guest refused")
	b.deletePending, b.deleteExpires = false, 0
	if t.cfg.UnplugError != nil {
		t.cfg.UnplugError(b.id, b.CanonicalPath())
	}
}

// Remove takes d away, without asking anybody: hides it from the guest, ends
// what it does, and takes it, with all that hangs from it, out of the tree. It
// is finalised when the last reference is gone, after a grace period at the
// earliest.
func (t *Tree) Remove(d Device) {
	b := d.Dev()
	if h := t.handler(b); h != nil && b.realized {
		h.Unplug(d)
	}
	t.Unparent(d)
}

// Unparent ends what d does and takes it out of the tree without telling its
// hot-plug handler: for devices that were never plugged, and for those that
// go because what they hang from goes.
func (t *Tree) Unparent(d Device) {
	b := d.Dev()
	b.Ref()
	defer b.Unref()
	t.Unrealize(d)
	for i := range b.class.table.parts {
		t.Unrealize(b.class.table.parts[i].of(d))
	}
	for len(b.buses) > 0 {
		bus := b.buses[len(b.buses)-1]
		for k := range bus.Devices() {
			t.Unparent(k)
		}
		bus.drop()
	}
	if b.bus != nil {
		b.bus.detach(b)
	}
	b.Object.Unparent()
}

// Unrealize ends what d and the devices that hang from it do, those first.
// They stay where they are in the tree. It does nothing to a device that is
// not alive.
func (t *Tree) Unrealize(d Device) {
	if b := d.Dev(); b.realized {
		t.unrealize(b, true)
	}
}

// unrealize is Unrealize for a device that is alive; report says whether its
// end is an event.
func (t *Tree) unrealize(b *Base, report bool) {
	for _, bus := range b.buses {
		for k := range bus.Devices() {
			t.Unrealize(k)
		}
	}
	if u, ok := b.self.(Unrealizer); ok {
		u.Unrealize()
	}
	b.realized = false
	b.deletePending = report
	b.deleteExpires = 0
	b.move(Unplugged, "unrealize")
	if mutant.Planted("qdev-deleted-early") {
		t.cfg.Deleted(b.id, b.path)
	}
}

// finalize runs when nobody refers to b any more and its children are gone.
func (b *Base) finalize() {
	if f, ok := b.self.(Finalizer); ok {
		f.Finalize()
	}
	for len(b.buses) > 0 { // only of one that was never placed anywhere
		b.buses[0].drop()
	}
	if !mutant.Planted("qdev-keeps-drive") {
		b.releaseRefs()
	}
	if b.keyvalID {
		delete(b.tree.keyvalIDs, b.id)
	}
	b.move(Finalized, "last reference")
	if b.deletePending && b.path != "" && !b.tree.closing && b.tree.cfg.Deleted != nil {
		b.tree.cfg.Deleted(b.id, b.path)
	}
}

// Close takes all devices out of the tree, without events: the machine ends.
func (t *Tree) Close() {
	t.closing = true
	for d := range t.main.Devices() {
		t.Unparent(d)
	}
	for _, o := range []string{"/machine/unattached", "/machine/peripheral", "/machine/peripheral-anon"} {
		t.closeBelow(o)
	}
}

func (t *Tree) closeBelow(path string) {
	var left []Device
	for o := range t.qom.Container(path).Children() {
		if d, ok := o.Self().(Device); ok {
			left = append(left, d)
		}
	}
	for _, d := range left {
		t.Unparent(d)
	}
}

func notFound(name string) error {
	return qerr.Newc(qerr.DeviceNotFound, "Device '%s' not found", name)
}

func errBus(b *Bus) error { return qerr.New("Bus '%s' does not support hotplugging", b.name) }
