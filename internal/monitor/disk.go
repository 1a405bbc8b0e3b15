package monitor

import (
	"github.com/backplane-vm/backplane/internal/block"
	limits "github.com/backplane-vm/backplane/internal/block/throttle"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// disk is what query-block has an entry for: QEMU's block backend. It is a
// device's backend, a -drive, or both.
type disk struct {
	node    *block.Node
	backend *block.Backend // nil for a -drive that no device has
}

// name is that of the -drive, or "".
func (d disk) name() string { return d.node.Drive() }

// path is that of the device, or "".
func (d disk) path() string {
	if d.backend == nil {
		return ""
	}
	return d.backend.Path()
}

// limits is the group that the disk is in, or nil.
func (d disk) limits() *limits.Group {
	if d.backend == nil {
		return d.node.Limits()
	}
	return d.backend.Limits()
}

func (d disk) setLimits(l limits.Limits, group, fallback string) {
	if d.backend == nil {
		d.node.SetLimits(l, group, fallback)
		return
	}
	d.backend.SetLimits(l, group, fallback)
}

// disks lists those made by -drive first, as QEMU, which makes them first.
func (h *handlers) disks() []disk {
	var named, others []disk
	user := make(map[*block.Node]*block.Backend)
	for _, b := range h.m.Blocks.Backends() {
		if b.Node().Drive() == "" {
			others = append(others, disk{b.Node(), b})
		} else {
			user[b.Node()] = b
		}
	}
	for _, n := range h.m.Blocks.Nodes() {
		if n.Drive() != "" {
			named = append(named, disk{n, user[n]})
		}
	}
	return append(named, others...)
}

// findDisk returns the disk of a name, or that of a device, by the device's id
// or path. One of them must be given.
func (h *handlers) findDisk(device, id *string) (disk, error) {
	if (device == nil) == (id == nil) {
		return disk{}, qerr.New("Need exactly one of 'device' and 'id'")
	}
	if id != nil {
		return h.diskOf(*id)
	}
	for _, d := range h.disks() {
		if d.name() == *device && *device != "" {
			return d, nil
		}
	}
	return disk{}, qerr.Newc(qerr.DeviceNotFound, "Device '%s' not found", *device)
}

func (h *handlers) diskOf(id string) (disk, error) {
	dev, err := h.m.Devices.Find(id)
	if err != nil {
		return disk{}, err
	}
	for _, d := range h.disks() {
		if d.backend != nil && d.path() == dev.Dev().CanonicalPath() {
			return d, nil
		}
	}
	return disk{}, qerr.New("Device does not have a block device backend")
}
