package blk

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/virtio"
	"github.com/backplane-vm/backplane/internal/virtio/vring"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A Backend is where the data is, as the drive property's resolver finds it.
// All methods want the BQL; those with a coroutine yield it.
type Backend interface {
	// Claim says what the device does: it writes unless readOnly, and others
	// may write too only if shareRW.
	Claim(readOnly, shareRW bool) error
	// Sectors is the capacity in 512-byte sectors.
	Sectors() uint64
	// ReadOnly says whether writes are refused.
	ReadOnly() bool
	// Begin begins a read or write of n bytes, off bytes into the image. If
	// there is no error, End ends it, with the time that Begin returned.
	Begin(co *coro.Co, write bool, off, n int64) (began int64, err error)
	// ReadPiece and WritePiece move all of p, a piece of what was begun.
	ReadPiece(co *coro.Co, p []byte, off int64) error
	WritePiece(co *coro.Co, p []byte, off int64) error
	End(write bool, began, n int64, err error)
	// Flush returns once what was written before is on stable storage.
	Flush(co *coro.Co) error
}

// informer is a Backend that tells its device of a new capacity and of drained
// sections.
type informer interface{ SetDevice(device any) }

// mayBeEmpty is a Backend that may be without a medium.
type mayBeEmpty interface{ Inserted() bool }

// invalidCounter is a Backend that counts requests refused for what they ask.
type invalidCounter interface{ CountInvalid(write bool) }

// sectorSize is the unit of addresses and capacities on the wire.
const sectorSize = 512

// autoQueues as num-queues stands for one queue a hart.
const autoQueues = 65535

// Limits of block sizes.
const (
	minBlockSize = 512
	maxBlockSize = 2 << 20
)

// Device is the block device behind its transport (virtio-blk-device).
type Device struct {
	virtio.Device
	Drive         qdev.Ref `qdev:"drive,drive,desc=Node name or ID of a block device to use as a backend"`
	LogicalBlock  uint64   `qdev:"logical_block_size,size,default=0,desc=A power of two between 512 B and 2 MiB"`
	PhysicalBlock uint64   `qdev:"physical_block_size,size,default=0,desc=A power of two between 512 B and 2 MiB"`
	MinIO         uint64   `qdev:"min_io_size,size,default=0"`
	OptIO         uint64   `qdev:"opt_io_size,size,default=0"`
	ShareRW       bool     `qdev:"share-rw,bool,default=off"`
	WriteCache    string   `qdev:"write-cache,OnOffAuto,default=auto"`
	Serial        string   `qdev:"serial,str"`
	NumQueues     uint16   `qdev:"num-queues,uint16,default=65535"`
	QueueSize     uint16   `qdev:"queue-size,uint16,default=256"`
	SegMaxAdjust  bool     `qdev:"seg-max-adjust,bool,default=on"`

	// Geometry that the guest is told; all three or none.
	Cylinders uint32 `qdev:"cyls,uint32,default=0"`
	Heads     uint32 `qdev:"heads,uint32,default=0"`
	TrackSize uint32 `qdev:"secs,uint32,default=0"`

	// ConfigCache lets the driver switch the write cache; FlushIfConfig then
	// offers flushes even while it is off.
	ConfigCache   bool `qdev:"config-wce,bool,default=on"`
	FlushIfConfig bool `qdev:"x-enable-wce-if-config-wce,bool,default=on"`

	Discard            bool   `qdev:"discard,bool,default=on"`
	MaxDiscard         uint32 `qdev:"max-discard-sectors,uint32,default=4194303"`
	DiscardGranularity uint64 `qdev:"discard_granularity,size,default=4294967295"`
	ReportGranularity  bool   `qdev:"report-discard-granularity,bool,default=on"`
	WriteZeroes        bool   `qdev:"write-zeroes,bool,default=on"`
	MaxZeroes          uint32 `qdev:"max-write-zeroes-sectors,uint32,default=4194303"`

	OnReadError  string `qdev:"rerror,BlockdevOnError,default=auto,desc=Error handling policy (report/ignore/enospc/stop/auto)"`
	OnWriteError string `qdev:"werror,BlockdevOnError,default=auto,desc=Error handling policy (report/ignore/enospc/stop/auto)"`

	AccountInvalid string `qdev:"account-invalid,OnOffAuto,default=auto"`
	// Merging is a hint: the disk is asked for what the guest asks for.
	Merging bool `qdev:"request-merging,bool,default=on"`

	// BootIndex is a place in the order of booting, or -1.
	BootIndex int32 `qdev:"bootindex,int32"`

	disk     Backend
	cache    bool // writes are stable after a flush only
	config   [configSize]byte
	inFlight int
	drained  bool       // the backend is in a drained section
	stalled  []bool     // queues left unread because of maxInFlight or drained
	free     []*request // for reuse
	failed   []*coro.Co // requests that wait for the machine to go on
}

// noBootIndex is the boot index of a disk that is not booted from.
const noBootIndex = -1

// Init implements qdev.Initer.
func (d *Device) Init() { d.BootIndex = noBootIndex }

// Unrealize implements qdev.Unrealizer.
func (d *Device) Unrealize() { d.Platform().FreeBootIndex(d.BootIndex) }

// Realize implements qdev.Realizer.
func (d *Device) Realize() error {
	disk, ok := d.Drive.Target.(Backend)
	if !ok {
		return qerr.New("drive property not set")
	}
	if m, ok := disk.(mayBeEmpty); ok && !m.Inserted() {
		return qerr.New("Device needs media, but drive is empty")
	}
	if d.NumQueues == autoQueues {
		d.NumQueues = uint16(min(max(d.Platform().CPUs, 1), virtio.MaxQueues))
	}
	if err := d.checkQueues(); err != nil {
		return err
	}
	if err := disk.Claim(disk.ReadOnly(), d.ShareRW); err != nil {
		return err
	}
	d.disk, d.cache = disk, d.WriteCache != "off"
	for _, check := range []func() error{d.checkGeometry, d.checkBlocks, d.checkDiscard} {
		if err := check(); err != nil {
			return err
		}
	}
	if err := d.Platform().TakeBootIndex(d.BootIndex); err != nil {
		return err
	}
	if f, ok := disk.(faultTaker); ok {
		f.SetErrorPolicies(d.OnReadError, d.OnWriteError)
	}
	d.stalled = make([]bool, d.NumQueues)
	if b, ok := disk.(informer); ok {
		b.SetDevice(d)
	}
	return nil
}

func (d *Device) checkQueues() error {
	switch n := d.QueueSize; {
	case d.NumQueues == 0:
		return qerr.New("num-queues property must be larger than 0")
	case d.NumQueues > virtio.MaxQueues:
		return qerr.New("num-queues property must not be larger than %d", virtio.MaxQueues)
	case n <= 2:
		return qerr.New("invalid queue-size property (%d), must be > 2", n)
	case n&(n-1) != 0 || n > vring.MaxSize:
		return qerr.New("invalid queue-size property (%d), must be a power of 2 (max %d)", n, vring.MaxSize)
	}
	return nil
}

// checkBlocks fills in default block sizes and checks them against each other.
func (d *Device) checkBlocks() error {
	for _, p := range []struct {
		name string
		v    *uint64
	}{{"logical_block_size", &d.LogicalBlock}, {"physical_block_size", &d.PhysicalBlock}} {
		if *p.v == 0 {
			*p.v = sectorSize
		}
		if v := *p.v; v < minBlockSize || v > maxBlockSize || v&(v-1) != 0 {
			return qerr.New("parameter %s must be a power of 2 between %d and %d", p.name, minBlockSize, maxBlockSize)
		}
	}
	switch l := d.LogicalBlock; {
	case l > d.PhysicalBlock:
		return qerr.New("logical_block_size > physical_block_size not supported")
	case d.MinIO%l != 0:
		return qerr.New("min_io_size must be a multiple of logical_block_size")
	case d.MinIO/l > 0xffff:
		return qerr.New("min_io_size must not exceed %d logical blocks", 0xffff)
	case d.OptIO%l != 0:
		return qerr.New("opt_io_size must be a multiple of logical_block_size")
	case d.DiscardGranularity != autoGranularity && d.DiscardGranularity%l != 0:
		return qerr.New("discard_granularity must be a multiple of logical_block_size")
	}
	return nil
}

// autoGranularity as discard_granularity stands for the logical block size.
const autoGranularity = 0xffffffff

// maxRequestSectors is the most that one request discards or fills with zeroes.
const maxRequestSectors = (1<<31 - 1) / sectorSize

func (d *Device) checkDiscard() error {
	for _, p := range []struct {
		on   bool
		name string
		v    uint32
	}{{d.Discard, "max-discard-sectors", d.MaxDiscard}, {d.WriteZeroes, "max-write-zeroes-sectors", d.MaxZeroes}} {
		if p.on && (p.v == 0 || p.v > maxRequestSectors) {
			return qerr.New("invalid %s property (%d), must be between 1 and %d", p.name, int32(p.v), maxRequestSectors)
		}
	}
	return nil
}

// Limits of a geometry, and what disks without one pretend to have.
const (
	maxCylinders = 65535
	maxHeads     = 255
	maxTrackSize = 255

	guessHeads       = 16
	guessTrackSize   = 63
	guessedCylinders = 16383 // at most
)

// checkGeometry fills in a geometry or checks the user's.
func (d *Device) checkGeometry() error {
	if d.Cylinders == 0 && d.Heads == 0 && d.TrackSize == 0 {
		cylinders := d.disk.Sectors() / (guessHeads * guessTrackSize)
		d.Cylinders = uint32(min(max(cylinders, 2), guessedCylinders))
		d.Heads, d.TrackSize = guessHeads, guessTrackSize
		return nil
	}
	for _, p := range []struct {
		name   string
		v, max uint32
	}{{"cyls", d.Cylinders, maxCylinders}, {"heads", d.Heads, maxHeads}, {"secs", d.TrackSize, maxTrackSize}} {
		if p.v < 1 || p.v > p.max {
			return qerr.New("%s must be between 1 and %d", p.name, p.max)
		}
	}
	return nil
}
