// Package qcow2 reads and writes images in the qcow2 format, versions 2 and 3
// (docs/interop/qcow2 of QEMU is the specification): sparse images whose
// clusters are found through two levels of tables and counted in a third.
//
// Images that are compressed or encrypted, that have snapshots, a backing
// file, a data file, persistent bitmaps or extended L2 entries are refused; a
// compressed cluster, which the header does not announce, when it is met.
//
// # What is on disk when
//
// Changes of tables stay in memory until somebody flushes, a table has to
// leave, or the image is resized. They are written in an order ([Image.Flush])
// in which nothing that is on disk refers to something that is not: counts,
// then the table of counts, then L2 entries, then L1 entries, with a flush of
// the file before each step that depends on what was written before. Cut off
// anywhere, the file is an image with every flushed write in it, and with no
// damage other than clusters that are counted and not used.
//
// # Concurrency
//
// All requests are coroutines of one context. A lock for coroutines is held
// while tables are looked at or changed, also across the I/O for that, but not
// while data moves. A guest cluster that is being given a place has to itself
// whoever came first; others who write it wait. Truncate is called with no
// other request in flight. The package starts no goroutines.
package qcow2

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A File is what an image is in. What lies past its end reads as zeroes, and a
// write there makes it longer.
type File interface {
	ReadAt(co *coro.Co, p []byte, off int64) error
	WriteAt(co *coro.Co, p []byte, off int64) error
	Flush(co *coro.Co) error
	Truncate(co *coro.Co, size int64) error
	Length() int64
}

// Options says how to open an image.
type Options struct {
	ReadOnly  bool
	NoBacking bool // do without the backing file that the image names
}

// An Image is an open image. Its methods that take a coroutine yield.
type Image struct {
	file     File
	readOnly bool
	h        header
	size     int64 // of a cluster
	l2Bits   uint  // log2 of the entries of an L2 table
	rbBits   uint  // log2 of the entries of a refcount block

	lock     coro.Mutex // guards what follows, but for reads of h.size
	l1       []uint64
	reftable []uint64
	lastRef  int          // no entry of it from here on says anything
	l1Dirty  map[int]bool // entries that differ from the file's
	refDirty map[int]bool
	cache    cache

	free    int64  // no cluster below this index is free
	end     int64  // no cluster from this index on was given out since opening
	written uint64 // writes to the file that have returned
	flushed uint64 // of these, how many are on stable storage
	moving  bool   // the table of counts is about to be elsewhere
	broken  bool   // tables on disk and in memory may differ: no more changes
	pending map[int64]bool
	settled coro.Queue // a pending cluster is not any more
}

// Open opens the image in f. On error it has written nothing.
func Open(co *coro.Co, f File, o Options) (*Image, error) {
	h, err := readHeader(co, f, o)
	if err != nil {
		return nil, err
	}
	im := &Image{
		file: f, readOnly: o.ReadOnly, h: h, size: 1 << h.clusterBits, l2Bits: h.clusterBits - 3,
		rbBits: h.clusterBits + 3 - h.refcountOrder, l1Dirty: make(map[int]bool), refDirty: make(map[int]bool),
		pending: make(map[int64]bool),
	}
	im.cache.init(im.size)
	if im.l1, err = readTable(co, f, int64(h.l1Offset), int64(h.l1Size)); err != nil {
		return nil, describe("Could not read L1 table", err)
	}
	entries := int64(h.reftableClusters) * im.size / entrySize
	if im.reftable, err = readTable(co, f, int64(h.reftableOffset), entries); err != nil {
		return nil, describe("Could not initialize refcount handling", err)
	}
	for i, e := range im.reftable {
		if e != 0 {
			im.lastRef = i + 1
		}
	}
	if !o.ReadOnly && h.autoclear != 0 {
		// Whoever changes an image without knowing a feature must say so.
		if err := im.writeHeader(co, offAutoclear, 0, 8); err != nil {
			return nil, describe("Could not update qcow2 header", err)
		}
		im.h.autoclear = 0
	}
	return im, nil
}

// readTable reads n entries of 8 bytes.
func readTable(co *coro.Co, f File, off, n int64) ([]uint64, error) {
	p := make([]byte, n*entrySize)
	if err := f.ReadAt(co, p, off); err != nil {
		return nil, err
	}
	return decode(p), nil
}

// Length returns the size of the disk in bytes.
func (im *Image) Length() int64 { return int64(im.h.size) &^ (sectorSize - 1) }

// Info is what tools show of an image.
type Info struct {
	Version       int
	ClusterSize   int64
	RefcountBits  int
	LazyRefcounts bool
	Corrupt       bool
}

// Info returns what tools show of the image.
func (im *Image) Info() Info {
	return Info{
		Version: int(im.h.version), ClusterSize: im.size, RefcountBits: 1 << im.h.refcountOrder,
		LazyRefcounts: im.h.compatible&compatLazyRefcounts != 0,
		Corrupt:       im.h.incompatible&incompatCorrupt != 0,
	}
}

// corrupt notes that the image contradicts itself: it is marked, if it has
// room for a mark, and takes no more writes. It returns the request's error.
func (im *Image) corrupt(co *coro.Co, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if !im.readOnly && !im.broken {
		im.broken = true
		im.h.incompatible |= incompatCorrupt
		if im.h.version >= 3 {
			_ = im.writeHeader(co, offIncompatible, im.h.incompatible, 8) // the request fails anyway
		}
	}
	return &CorruptError{Text: text}
}

// A CorruptError says how an image contradicts itself. As an errno it is EIO.
type CorruptError struct{ Text string }

// Error returns the text, in QEMU's words.
func (e *CorruptError) Error() string { return e.Text }

// Unwrap returns EIO.
func (e *CorruptError) Unwrap() error { return syscall.EIO }

// describe puts what before an error of the file.
func describe(what string, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		s := []byte(errno.Error())
		if c := s[0]; c >= 'a' && c <= 'z' { // the C library's words begin so
			s[0] = c - 'a' + 'A'
		}
		return qerr.New("%s: %s", what, s)
	}
	return qerr.New("%s: %v", what, err)
}
