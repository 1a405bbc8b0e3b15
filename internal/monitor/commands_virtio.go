package monitor

import (
	"errors"
	"slices"

	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/internal/virtio"
	"github.com/backplane-vm/backplane/internal/virtio/vring"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// XQueryVirtio implements api.Commands.
func (h *handlers) XQueryVirtio(*qmp.Call) ([]api.VirtioInfo, error) {
	list := []api.VirtioInfo{}
	h.m.QOM.Root.Walk(func(o *qom.Object) {
		if d, ok := o.Self().(virtio.Backend); ok && d.Dev().Realized() {
			list = append(list, api.VirtioInfo{Path: o.Path(), Name: d.Description().Name})
		}
	})
	return list, nil
}

// virtioDevice returns the device that is alive at path, or nil.
func (h *handlers) virtioDevice(path string) virtio.Backend {
	o, _ := h.m.QOM.Resolve(path)
	if o == nil {
		return nil
	}
	d, ok := o.Self().(virtio.Backend)
	if !ok || !d.Dev().Realized() || d.Virtio().Core() == nil {
		return nil
	}
	return d
}

func noVirtioDevice(path string) error { return qerr.New("Path %s is not a VirtIODevice", path) }

func (h *handlers) XQueryVirtioStatus(_ *qmp.Call, args *api.XQueryVirtioStatusArgs) (*api.VirtioStatus, error) {
	d := h.virtioDevice(args.Path)
	if d == nil {
		return nil, noVirtioDevice(args.Path)
	}
	s, kind := d.Virtio().Core().State(), d.Description()
	return &api.VirtioStatus{
		Name: kind.Name, DeviceId: kind.Type, DeviceEndian: "little",
		GuestFeatures: virtioFeatures(kind.Type, s.Accepted), HostFeatures: virtioFeatures(kind.Type, s.Offered),
		BackendFeatures: virtioFeatures(kind.Type, 0),
		NumVqs:          int64(s.Queues), Status: virtioStatus(s.Status), Isr: s.ISR, QueueSel: s.QueueSelect,
		VmRunning: h.m.State() == machine.Running, Broken: s.Broken, Disabled: s.Disabled,
		UseStarted: true, Started: s.Started, UseGuestNotifierMask: true,
	}, nil
}

// feature is a bit and what QEMU says of it.
type feature struct {
	bit  int
	text string
}

// decode returns what is said of the bits of v, in QEMU's order: that of the
// table from its end. rest is the bits that the table does not have.
func decode(table []feature, v uint64) (texts []string, rest uint64) {
	texts = []string{}
	for _, f := range slices.Backward(table) {
		if v>>f.bit&1 != 0 {
			texts = append(texts, f.text)
		}
		v &^= 1 << f.bit
	}
	return texts, v
}

// transportFeatures are those of queues and transports.
func transportFeatures() []feature {
	return []feature{
		{24, "VIRTIO_F_NOTIFY_ON_EMPTY: Notify when device runs out of avail. descs. on VQ"},
		{27, "VIRTIO_F_ANY_LAYOUT: Device accepts arbitrary desc. layouts"},
		{32, "VIRTIO_F_VERSION_1: Device compliant for v1 spec (legacy)"},
		{33, "VIRTIO_F_IOMMU_PLATFORM: Device can be used on IOMMU platform"},
		{34, "VIRTIO_F_RING_PACKED: Device supports packed VQ layout"},
		{35, "VIRTIO_F_IN_ORDER: Device uses buffers in same order as made available by driver"},
		{36, "VIRTIO_F_ORDER_PLATFORM: Memory accesses ordered by platform"},
		{37, "VIRTIO_F_SR_IOV: Device supports single root I/O virtualization"},
		{40, "VIRTIO_F_RING_RESET: Driver can reset a queue individually"},
		{28, "VIRTIO_RING_F_INDIRECT_DESC: Indirect descriptors supported"},
		{29, "VIRTIO_RING_F_EVENT_IDX: Used & avail. event fields enabled"},
	}
}

// protocolFeature is a bit that every kind of device may show to drivers of the
// legacy interface; QEMU has one name for it.
const protocolFeature = "VHOST_USER_F_PROTOCOL_FEATURES: Vhost-user protocol features negotiation supported"

// blockType is the number of block devices (virtio 1.2 §5).
const blockType = 2

// kindFeatures are those of one kind of device.
func kindFeatures(kind uint16) []feature {
	if kind != blockType {
		return []feature{{30, protocolFeature}}
	}
	return []feature{
		{1, "VIRTIO_BLK_F_SIZE_MAX: Max segment size is size_max"},
		{2, "VIRTIO_BLK_F_SEG_MAX: Max segments in a request is seg_max"},
		{4, "VIRTIO_BLK_F_GEOMETRY: Legacy geometry available"},
		{5, "VIRTIO_BLK_F_RO: Device is read-only"},
		{6, "VIRTIO_BLK_F_BLK_SIZE: Block size of disk available"},
		{10, "VIRTIO_BLK_F_TOPOLOGY: Topology information available"},
		{12, "VIRTIO_BLK_F_MQ: Multiqueue supported"},
		{13, "VIRTIO_BLK_F_DISCARD: Discard command supported"},
		{14, "VIRTIO_BLK_F_WRITE_ZEROES: Write zeroes command supported"},
		{16, "VIRTIO_BLK_F_SECURE_ERASE: Secure erase supported"},
		{17, "VIRTIO_BLK_F_ZONED: Zoned block devices"},
		{0, "VIRTIO_BLK_F_BARRIER: Request barriers supported"},
		{7, "VIRTIO_BLK_F_SCSI: SCSI packet commands supported"},
		{9, "VIRTIO_BLK_F_FLUSH: Flush command supported"},
		{11, "VIRTIO_BLK_F_CONFIG_WCE: Cache writeback and writethrough modes supported"},
		{30, protocolFeature},
	}
}

func virtioFeatures(kind uint16, v uint64) api.VirtioDeviceFeatures {
	f := api.VirtioDeviceFeatures{}
	f.Transports, v = decode(transportFeatures(), v)
	if f.DevFeatures, v = decode(kindFeatures(kind), v); v != 0 {
		f.UnknownDevFeatures = &v
	}
	return f
}

func virtioStatus(v uint8) api.VirtioDeviceStatus {
	s := api.VirtioDeviceStatus{}
	var rest uint64
	s.Statuses, rest = decode([]feature{
		{2, "VIRTIO_CONFIG_S_DRIVER_OK: Driver setup and ready"},
		{3, "VIRTIO_CONFIG_S_FEATURES_OK: Feature negotiation complete"},
		{1, "VIRTIO_CONFIG_S_DRIVER: Guest OS compatible with device"},
		{6, "VIRTIO_CONFIG_S_NEEDS_RESET: Irrecoverable error, device needs reset"},
		{7, "VIRTIO_CONFIG_S_FAILED: Error in guest, device failed"},
		{0, "VIRTIO_CONFIG_S_ACKNOWLEDGE: Valid virtio device found"},
	}, uint64(v))
	if unknown := uint8(rest); unknown != 0 {
		s.UnknownStatuses = &unknown
	}
	return s
}

// ringAlign is the alignment of a legacy queue's used ring, which QEMU shows
// for any queue.
const ringAlign = 4096

func noQueue(i uint16) error { return qerr.New("Invalid virtqueue number %d", i) }

func (h *handlers) XQueryVirtioQueueStatus(_ *qmp.Call, args *api.XQueryVirtioQueueStatusArgs) (*api.VirtQueueStatus, error) {
	d := h.virtioDevice(args.Path)
	if d == nil {
		return nil, noVirtioDevice(args.Path)
	}
	q, ok := d.Virtio().Core().QueueState(int(args.Queue))
	if !ok {
		return nil, noQueue(args.Queue)
	}
	return &api.VirtQueueStatus{
		Name: d.Description().Name, QueueIndex: args.Queue, Inuse: uint32(q.InFlight),
		VringNum: uint32(q.Size), VringNumDefault: uint32(q.Max), VringAlign: ringAlign,
		VringDesc: q.Desc, VringAvail: q.Avail, VringUsed: q.Used,
		LastAvailIdx: &q.NextAvail, ShadowAvailIdx: &q.NextAvail, UsedIdx: q.NextUsed,
		SignalledUsed: q.Told, SignalledUsedValid: q.ToldValid,
	}, nil
}

// XQueryVirtioVhostQueueStatus refuses: all devices are emulated here.
func (h *handlers) XQueryVirtioVhostQueueStatus(_ *qmp.Call, args *api.XQueryVirtioVhostQueueStatusArgs) (*api.VirtVhostQueueStatus, error) {
	if h.virtioDevice(args.Path) == nil {
		return nil, noVirtioDevice(args.Path)
	}
	return nil, qerr.New("Error: vhost device has not started yet")
}

func (h *handlers) XQueryVirtioQueueElement(_ *qmp.Call, args *api.XQueryVirtioQueueElementArgs) (*api.VirtioQueueElement, error) {
	d := h.virtioDevice(args.Path)
	if d == nil {
		return nil, qerr.New("Path %s is not a VirtIO device", args.Path)
	}
	q, ok := d.Virtio().Core().QueueState(int(args.Queue))
	if !ok {
		return nil, noQueue(args.Queue)
	}
	at := q.NextAvail
	if args.Index != nil {
		at = *args.Index
	}
	c, err := d.Virtio().Core().Queue(int(args.Queue)).Peek(at)
	switch {
	case errors.Is(err, vring.ErrPacked):
		return nil, qerr.New("Packed ring not supported")
	case errors.Is(err, vring.ErrIndirect):
		return nil, qerr.New("Cannot map indirect buffer")
	case err != nil:
		return nil, qerr.New("Region caches not initialized")
	}
	e := &api.VirtioQueueElement{
		Name: d.Description().Name, Index: uint32(c.Head), Descs: []api.VirtioRingDesc{},
		Avail: api.VirtioRingAvail{Flags: c.AvailFlags, Idx: c.AvailIndex, Ring: uint64(c.Head)},
		Used:  api.VirtioRingUsed{Flags: c.UsedFlags, Idx: c.UsedIndex},
	}
	for _, x := range slices.Backward(c.Descs) {
		e.Descs = append(e.Descs, api.VirtioRingDesc{Addr: x.Addr, Len: x.Len, Flags: descriptorFlags(x)})
	}
	return e, nil
}

// descriptorFlags names the flags of d, in QEMU's order.
func descriptorFlags(d vring.Descriptor) []string {
	names := []string{}
	for _, f := range []struct {
		set  bool
		name string
	}{{d.PackedUsed, "used"}, {d.PackedAvail, "avail"}, {d.Indirect, "indirect"}, {d.Write, "write"}, {d.Next, "next"}} {
		if f.set {
			names = append(names, f.name)
		}
	}
	return names
}
