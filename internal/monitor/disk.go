package monitor

import (
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// disks lists what query-block has an entry for: the backends of devices and of
// drives.
func (h *handlers) disks() []*block.Backend { return h.m.Blocks.Backends() }

// findDisk returns the backend of the drive called device, or that of a device,
// by the device's id or path. One of them must be given.
func (h *handlers) findDisk(device, id *string) (*block.Backend, error) {
	if (device == nil) == (id == nil) {
		return nil, qerr.New("Need exactly one of 'device' and 'id'")
	}
	if id != nil {
		return h.diskOf(*id)
	}
	if b := h.m.Blocks.Drive(*device); b != nil {
		return b, nil
	}
	return nil, qerr.Newc(qerr.DeviceNotFound, "Device '%s' not found", *device)
}

func (h *handlers) diskOf(id string) (*block.Backend, error) {
	dev, err := h.m.Devices.Find(id)
	if err != nil {
		return nil, err
	}
	path := dev.Dev().CanonicalPath()
	for _, b := range h.disks() {
		if b.Path() == path {
			return b, nil
		}
	}
	return nil, qerr.New("Device does not have a block device backend")
}

// removable reports whether the backend's medium may be changed: no device here
// lets it be, so before a device comes.
func removable(b *block.Backend) bool { return b.Path() == "" }
