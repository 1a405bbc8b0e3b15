package blk

import (
	"encoding/binary"

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

// Feature bits (virtio 1.2 §5.2.3).
const (
	featureSegMax   = 1 << 2
	featureGeometry = 1 << 4
	featureReadOnly = 1 << 5
	featureBlkSize  = 1 << 6
	featureFlush    = 1 << 9
	featureTopology = 1 << 10
	featureMQ       = 1 << 12
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

	disk     Backend
	config   [configSize]byte
	inFlight int
	drained  bool       // the backend is in a drained section
	stalled  []bool     // queues left unread because of maxInFlight or drained
	free     []*request // for reuse
}

// Realize implements qdev.Realizer.
func (d *Device) Realize() error {
	disk, ok := d.Drive.Target.(Backend)
	if !ok {
		return qerr.New("drive property not set")
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
	if err := d.checkBlocks(); err != nil {
		return err
	}
	d.disk = disk
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
	}
	return nil
}

// Description implements virtio.Backend.
func (d *Device) Description() virtio.Description {
	features := uint64(featureSegMax | featureGeometry | featureBlkSize | featureFlush | featureTopology)
	if d.disk.ReadOnly() {
		features |= featureReadOnly
	}
	if d.NumQueues > 1 {
		features |= featureMQ
	}
	sizes := make([]uint16, d.NumQueues)
	for i := range sizes {
		sizes[i] = d.QueueSize
	}
	return virtio.Description{Type: 2, LegacyID: 0x1001, Name: "virtio-blk", Class: 0x0100,
		Features: features, Queues: sizes, Vectors: len(sizes) + 1}
}

// Reset implements virtio.Kind. Requests in flight go on by themselves.
func (d *Device) Reset() { clear(d.stalled) }

// Resized tells the driver that the backend has another capacity.
func (d *Device) Resized() {
	if c := d.Core(); c != nil {
		c.ConfigChanged()
	}
}

// Device configuration (virtio 1.2 §5.2.4), offsets.
const (
	configSize = 60

	cfgCapacity  = 0
	cfgSegMax    = 12
	cfgCylinders = 16
	cfgHeads     = 18
	cfgSectors   = 19
	cfgBlkSize   = 20
	cfgPhysical  = 24
	cfgMinIO     = 26
	cfgOptIO     = 28
	cfgQueues    = 34
)

// The geometry that disks without one pretend to have.
const (
	guessHeads   = 16
	guessSectors = 63
	maxCylinders = 16383
)

// defaultSegMax is the number of segments of old queues, of 128 entries; two
// entries of each chain are header and status.
const defaultSegMax = 128 - 2

// Config implements virtio.Kind.
func (d *Device) Config() []byte {
	b, le := d.config[:], binary.LittleEndian
	sectors := d.disk.Sectors()
	le.PutUint64(b[cfgCapacity:], sectors)
	segments := uint32(defaultSegMax)
	if d.SegMaxAdjust {
		segments = uint32(d.QueueSize) - 2
	}
	le.PutUint32(b[cfgSegMax:], segments)
	le.PutUint16(b[cfgCylinders:], uint16(min(max(sectors/(guessHeads*guessSectors), 2), maxCylinders)))
	b[cfgHeads], b[cfgSectors] = guessHeads, guessSectors
	le.PutUint32(b[cfgBlkSize:], uint32(d.LogicalBlock))
	exponent := uint8(0)
	for d.LogicalBlock<<exponent < d.PhysicalBlock {
		exponent++
	}
	b[cfgPhysical] = exponent
	le.PutUint16(b[cfgMinIO:], uint16(d.MinIO/d.LogicalBlock))
	le.PutUint32(b[cfgOptIO:], uint32(d.OptIO/d.LogicalBlock))
	le.PutUint16(b[cfgQueues:], d.NumQueues)
	return b
}
