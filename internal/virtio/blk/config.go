package blk

import (
	"encoding/binary"

	"github.com/backplane-vm/backplane/internal/virtio"
)

// Feature bits (virtio 1.2 §5.2.3).
const (
	featureSegMax      = 1 << 2
	featureGeometry    = 1 << 4
	featureReadOnly    = 1 << 5
	featureBlkSize     = 1 << 6
	featureFlush       = 1 << 9
	featureTopology    = 1 << 10
	featureConfigCache = 1 << 11
	featureMQ          = 1 << 12
	featureDiscard     = 1 << 13
	featureWriteZeroes = 1 << 14
)

// Description implements virtio.Backend.
func (d *Device) Description() virtio.Description {
	features := uint64(featureSegMax | featureGeometry | featureBlkSize | featureTopology)
	for _, f := range []struct {
		on  bool
		bit uint64
	}{
		{d.disk.ReadOnly(), featureReadOnly},
		{d.cache || d.FlushIfConfig && d.ConfigCache, featureFlush},
		{d.ConfigCache, featureConfigCache},
		{d.NumQueues > 1, featureMQ},
		{d.Discard, featureDiscard},
		{d.WriteZeroes, featureWriteZeroes},
	} {
		if f.on {
			features |= f.bit
		}
	}
	sizes := make([]uint16, d.NumQueues)
	for i := range sizes {
		sizes[i] = d.QueueSize
	}
	return virtio.Description{Type: 2, LegacyID: 0x1001, Name: "virtio-blk", Class: 0x0100,
		Features: features, Queues: sizes, Vectors: len(sizes) + 1}
}

// Started implements virtio.Starter. A driver that cannot switch the cache has
// one if it can flush.
func (d *Device) Started() {
	if c := d.Core(); !c.Has(featureConfigCache) {
		d.cache = c.Has(featureFlush)
	}
}

// Reset implements virtio.Kind. Requests in flight go on by themselves; those
// that failed and wait are given up.
func (d *Device) Reset() {
	d.Retry()
	clear(d.stalled)
	d.cache = d.WriteCache != "off"
}

// Resized tells the driver that the backend has another capacity.
func (d *Device) Resized() {
	if c := d.Core(); c != nil {
		c.ConfigChanged()
	}
}

// Device configuration (virtio 1.2 §5.2.4), offsets. It ends where the fields
// of the features that are offered end.
const (
	cfgCapacity    = 0
	cfgSegMax      = 12
	cfgCylinders   = 16
	cfgHeads       = 18
	cfgSectors     = 19
	cfgBlkSize     = 20
	cfgPhysical    = 24
	cfgMinIO       = 26
	cfgOptIO       = 28
	cfgCache       = 32
	cfgQueues      = 34
	cfgMaxDiscard  = 36
	cfgDiscardSegs = 40
	cfgDiscardUnit = 44
	cfgMaxZeroes   = 48
	cfgZeroesSegs  = 52
	cfgZeroesUnmap = 56

	configSizeQueues  = 36
	configSizeDiscard = 48
	configSize        = 57
)

// maxSegments is how many ranges one request discards or fills with zeroes.
const maxSegments = 1

// defaultSegMax is the number of segments of old queues, of 128 entries; two
// entries of each chain are header and status.
const defaultSegMax = 128 - 2

// Config implements virtio.Kind.
func (d *Device) Config() []byte {
	b, le := d.config[:], binary.LittleEndian
	le.PutUint64(b[cfgCapacity:], d.disk.Sectors())
	segments := uint32(defaultSegMax)
	if d.SegMaxAdjust {
		segments = uint32(d.QueueSize) - 2
	}
	le.PutUint32(b[cfgSegMax:], segments)
	le.PutUint16(b[cfgCylinders:], uint16(d.Cylinders))
	b[cfgHeads], b[cfgSectors] = uint8(d.Heads), uint8(d.TrackSize)
	le.PutUint32(b[cfgBlkSize:], uint32(d.LogicalBlock))
	exponent := uint8(0)
	for d.LogicalBlock<<exponent < d.PhysicalBlock {
		exponent++
	}
	b[cfgPhysical] = exponent
	le.PutUint16(b[cfgMinIO:], uint16(d.MinIO/d.LogicalBlock))
	le.PutUint32(b[cfgOptIO:], uint32(d.OptIO/d.LogicalBlock))
	b[cfgCache] = 0
	if d.cache {
		b[cfgCache] = 1
	}
	le.PutUint16(b[cfgQueues:], d.NumQueues)
	return b[:d.configDiscard(b)]
}

// configDiscard fills in what is said of discards and zeroes, and returns where
// the configuration ends.
func (d *Device) configDiscard(b []byte) int {
	le, end := binary.LittleEndian, configSizeQueues
	if d.Discard {
		unit := d.DiscardGranularity
		if unit == autoGranularity || !d.ReportGranularity {
			unit = d.LogicalBlock
		}
		le.PutUint32(b[cfgMaxDiscard:], d.MaxDiscard)
		le.PutUint32(b[cfgDiscardSegs:], maxSegments)
		le.PutUint32(b[cfgDiscardUnit:], uint32(unit/sectorSize))
		end = configSizeDiscard
	}
	if d.WriteZeroes {
		le.PutUint32(b[cfgMaxZeroes:], d.MaxZeroes)
		le.PutUint32(b[cfgZeroesSegs:], maxSegments)
		b[cfgZeroesUnmap] = 1
		end = configSize
	}
	return end
}

// WriteConfig implements virtio.ConfigWriter: the driver can switch the cache.
func (d *Device) WriteConfig(off int, p []byte) {
	if i := cfgCache - off; i >= 0 && i < len(p) && d.ConfigCache {
		d.cache = p[i] != 0
	}
}
