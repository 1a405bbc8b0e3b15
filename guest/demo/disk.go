package demo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// SectorSize is the size of a sector in bytes.
const SectorSize = 512

// Magic starts every sector of a formatted disk.
const Magic = "BKPLDEMO"

// Where a sector keeps what, in bytes; all numbers are little endian 64-bit.
const (
	OffsetMagic      = 0
	OffsetNumber     = 8  // the sector's own number
	OffsetGeneration = 16 // who wrote it: HostGeneration, or a plug's, which the guest logs
	OffsetSeed       = 24 // what the pattern is made from
	OffsetChecksum   = 32 // Checksum of the sector
	OffsetPattern    = 40 // to the end
)

// HostGeneration is the generation FormatDisk writes. A guest's has its highest bit set.
const HostGeneration = 0

// formatChunk is how many sectors FormatDisk and VerifyDisk handle at a time:
// 64 KiB, large enough for throughput and small enough for a test's memory.
const formatChunk = 128

// Report says what VerifyDisk found.
type Report struct {
	Sectors uint64 // looked at
	Host    uint64 // as FormatDisk wrote them
	Guest   uint64 // rewritten by the guest
	Bad     uint64 // magic, number, checksum or pattern do not hold
	// FirstBad is the lowest sector that is bad; it means nothing if Bad is 0.
	FirstBad uint64
}

// OK says whether every sector held.
func (r Report) OK() bool { return r.Bad == 0 }

// String is one line for a person.
func (r Report) String() string {
	s := fmt.Sprintf("%d sectors: %d by the host, %d by the guest, %d bad", r.Sectors, r.Host, r.Guest, r.Bad)
	if r.Bad > 0 {
		s += fmt.Sprintf(" (first: %d)", r.FirstBad)
	}
	return s
}

// FormatDisk writes that many sectors of the test disk to w, from offset 0. An
// error is w's, with the sector it stopped at.
func FormatDisk(w io.WriterAt, sectors uint64) error {
	buf := make([]byte, formatChunk*SectorSize)
	for at := uint64(0); at < sectors; at += formatChunk {
		n := min(formatChunk, sectors-at)
		for i := range n {
			fillSector(buf[i*SectorSize:][:SectorSize], at+i, HostGeneration, at+i+1)
		}
		if _, err := w.WriteAt(buf[:n*SectorSize], int64(at*SectorSize)); err != nil {
			return fmt.Errorf("demo: format sector %d: %w", at, err)
		}
	}
	return nil
}

// VerifyDisk checks every sector of a disk that FormatDisk wrote and the guest
// has worked on. Content that does not hold is counted in the report; the
// error is r's, with the sector it stopped at (a disk that is too short gives
// io.ErrUnexpectedEOF), and the report covers what came before.
func VerifyDisk(r io.ReaderAt, sectors uint64) (Report, error) {
	var report Report
	buf := make([]byte, formatChunk*SectorSize)
	for at := uint64(0); at < sectors; at += formatChunk {
		n := min(formatChunk, sectors-at)
		got, err := r.ReadAt(buf[:n*SectorSize], int64(at*SectorSize))
		for i := range uint64(got) / SectorSize {
			report.count(buf[i*SectorSize:][:SectorSize], at+i)
		}
		if uint64(got) == n*SectorSize {
			continue // io.EOF is allowed together with the last bytes
		}
		if errors.Is(err, io.EOF) || err == nil {
			err = io.ErrUnexpectedEOF
		}
		return report, fmt.Errorf("demo: verify sector %d: %w", report.Sectors, err)
	}
	return report, nil
}

func (r *Report) count(s []byte, number uint64) {
	r.Sectors++
	switch {
	case !sectorHolds(s, number):
		if r.Bad == 0 {
			r.FirstBad = number
		}
		r.Bad++
	case word(s, OffsetGeneration) == HostGeneration:
		r.Host++
	default:
		r.Guest++
	}
}

// sectorHolds is stricter than the guest, which trusts the checksum: the
// pattern must also be the one that number and seed give.
func sectorHolds(s []byte, number uint64) bool {
	if string(s[:len(Magic)]) != Magic || word(s, OffsetNumber) != number || word(s, OffsetChecksum) != Checksum(s) {
		return false
	}
	base := patternBase(number, word(s, OffsetSeed))
	for at := OffsetPattern; at < SectorSize; at += 8 {
		if word(s, at) != mix(base+uint64(at/8)) {
			return false
		}
	}
	return true
}

func fillSector(s []byte, number, generation, seed uint64) {
	copy(s, Magic)
	putWord(s, OffsetNumber, number)
	putWord(s, OffsetGeneration, generation)
	putWord(s, OffsetSeed, seed)
	base := patternBase(number, seed)
	for at := OffsetPattern; at < SectorSize; at += 8 {
		putWord(s, at, mix(base+uint64(at/8)))
	}
	putWord(s, OffsetChecksum, Checksum(s))
}

// Checksum is the 64-bit checksum of a sector, over all of it but the checksum
// itself: FNV-1a by little endian 64-bit words instead of bytes, with the high
// half of the state folded into the low after each. s is SectorSize long.
func Checksum(s []byte) uint64 {
	const offset, prime = 0xcbf29ce484222325, 0x100000001b3
	h := uint64(offset)
	for at := 0; at < SectorSize; at += 8 {
		if at == OffsetChecksum {
			continue
		}
		h = (h ^ word(s, at)) * prime
		h ^= h >> 32
	}
	return h
}

func patternBase(number, seed uint64) uint64 { return mix(seed ^ mix(number)) }

// mix is splitmix64's finaliser.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func word(s []byte, at int) uint64       { return binary.LittleEndian.Uint64(s[at:]) }
func putWord(s []byte, at int, v uint64) { binary.LittleEndian.PutUint64(s[at:], v) }
