package qcow2

import (
	"cmp"
	"maps"
	"slices"
	"syscall"

	"github.com/backplane-vm/backplane/coro"
)

// How many tables are kept: so many bytes, within bounds. With
// clusters of 64 KiB the tables map 32 GiB.
const (
	cacheBytes  = 4 << 20
	cacheFewest = 8
	cacheMost   = 256 // who leaves is found by looking at all
)

// tableKind is what a cached table is.
type tableKind uint8

const (
	kindL2 tableKind = iota
	kindRefcounts
)

// table is a cluster of entries.
type table struct {
	off   int64
	kind  tableKind
	data  []byte
	dirty bool
	used  uint64 // when it was, for the choice of who leaves
}

// cache is the tables in memory, by their place in the file.
type cache struct {
	tables map[int64]*table
	limit  int
	clock  uint64
}

func (c *cache) init(size int64) {
	c.tables = make(map[int64]*table)
	c.limit = min(max(int(cacheBytes/size), cacheFewest), cacheMost)
}

// load returns the table at off. The next load or create may make it leave, so
// nobody holds on to one across those.
func (im *Image) load(co *coro.Co, off int64, k tableKind) (*table, error) {
	c := &im.cache
	c.clock++
	if t := c.tables[off]; t != nil {
		if t.kind != k {
			return nil, im.corrupt(co, "qcow2: Marking image as corrupt: the cluster at %#x is two tables", off)
		}
		t.used = c.clock
		return t, nil
	}
	t, err := im.room(co)
	if err != nil {
		return nil, err
	}
	if err := im.file.ReadAt(co, t.data, off); err != nil {
		return nil, err
	}
	t.off, t.kind, t.used = off, k, c.clock
	c.tables[off] = t
	return t, nil
}

// create makes a table of zeroes in a cluster that was just given out.
func (im *Image) create(co *coro.Co, off int64, k tableKind) (*table, error) {
	t, err := im.room(co)
	if err != nil {
		return nil, err
	}
	im.cache.clock++
	*t = table{off: off, kind: k, data: t.data, dirty: true, used: im.cache.clock}
	clear(t.data)
	im.cache.tables[off] = t
	return t, nil
}

// room returns a table to fill: a new one, or the one that was not used for
// the longest time.
func (im *Image) room(co *coro.Co) (*table, error) {
	c := &im.cache
	if len(c.tables) < c.limit {
		return &table{data: make([]byte, im.size)}, nil
	}
	var oldest *table
	for _, t := range c.tables {
		if oldest == nil || t.used < oldest.used {
			oldest = t
		}
	}
	if oldest.dirty {
		if err := im.writeBack(co); err != nil {
			return nil, err
		}
	}
	delete(c.tables, oldest.off)
	return oldest, nil
}

// drop forgets the table at off, which is not one any more.
func (c *cache) drop(off int64) { delete(c.tables, off) }

func (c *cache) dirty(k tableKind) []*table {
	var all []*table
	for _, t := range c.tables {
		if t.dirty && t.kind == k {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *table) int { return cmp.Compare(a.off, b.off) })
	return all
}

// writeBack writes what has changed, in the order that the package comment
// gives. After an error it can be called again.
func (im *Image) writeBack(co *coro.Co) error {
	if err := im.writeTables(co, kindRefcounts); err != nil || im.moving {
		return err
	}
	if err := im.writeEntries(co, im.reftable, im.refDirty, int64(im.h.reftableOffset)); err != nil {
		return err
	}
	if err := im.writeTables(co, kindL2); err != nil {
		return err
	}
	return im.writeEntries(co, im.l1, im.l1Dirty, int64(im.h.l1Offset))
}

// writeTables writes the changed tables of a kind. What L2 entries refer to is
// on disk before they are.
func (im *Image) writeTables(co *coro.Co, k tableKind) error {
	all := im.cache.dirty(k)
	if len(all) > 0 && k == kindL2 {
		if err := im.flushFile(co); err != nil {
			return err
		}
	}
	for _, t := range all {
		if err := im.writeFile(co, t.data, t.off); err != nil {
			return err
		}
		t.dirty = false
	}
	return nil
}

// writeEntries writes the changed entries of a table at off. What they refer
// to is on disk before they are.
func (im *Image) writeEntries(co *coro.Co, t []uint64, dirty map[int]bool, off int64) error {
	if len(dirty) == 0 {
		return nil
	}
	if err := im.flushFile(co); err != nil {
		return err
	}
	for _, i := range slices.Sorted(maps.Keys(dirty)) {
		if err := im.writeFile(co, encode(t[i:i+1]), off+int64(i)*entrySize); err != nil {
			return err
		}
		delete(dirty, i)
	}
	return nil
}

// writeFile writes p, which is on stable storage after the next flushFile.
func (im *Image) writeFile(co *coro.Co, p []byte, off int64) error {
	if im.readOnly {
		return syscall.EPERM
	}
	err := im.file.WriteAt(co, p, off)
	im.written++ // also after an error: some of it may be there
	return err
}

// flushFile has what was written to the file on stable storage. Several may do
// that at once.
func (im *Image) flushFile(co *coro.Co) error {
	upTo := im.written
	if im.flushed >= upTo {
		return nil
	}
	err := im.file.Flush(co)
	if err == nil {
		im.flushed = max(im.flushed, upTo)
	}
	return err
}
