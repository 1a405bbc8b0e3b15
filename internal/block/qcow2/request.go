package qcow2

import (
	"syscall"

	"github.com/backplane-vm/backplane/coro"
)

// ReadAt fills p from offset off of the disk, in bytes. What lies past its end
// reads as zeroes.
func (im *Image) ReadAt(co *coro.Co, p []byte, off int64) error {
	if inside := max(im.Length()-off, 0); int64(len(p)) > inside {
		clear(p[inside:])
		p = p[:inside]
	}
	for len(p) > 0 {
		host, n, err := im.find(co, off, int64(len(p)))
		if err != nil {
			return err
		}
		if host == 0 {
			clear(p[:n])
		} else if err := im.file.ReadAt(co, p[:n], host); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// find returns where the first of the n bytes at off are: at host, or nowhere
// (0), as many as lie side by side.
func (im *Image) find(co *coro.Co, off, n int64) (host, got int64, err error) {
	im.lock.Lock(co)
	defer im.lock.Unlock(co)
	cluster := off >> im.h.clusterBits
	i, j := im.place(cluster)
	if i >= len(im.l1) {
		return 0, 0, syscall.EIO
	}
	t, err := im.l2(co, i)
	if err != nil {
		return 0, 0, err
	}
	inside := off & (im.size - 1)
	if t == nil {
		return 0, min(n, int64(1)<<(im.l2Bits+im.h.clusterBits)-int64(j)<<im.h.clusterBits-inside), nil
	}
	for ; got < n && j < 1<<im.l2Bits; j++ {
		k, at := classify(t.entry(j))
		switch err := im.checkEntry(co, t.entry(j), cluster+int64(j)); {
		case err != nil:
			return 0, 0, err
		case k == packed:
			return 0, 0, syscall.ENOTSUP
		case k != normal:
			at = 0
		}
		if got == 0 {
			if host = at; host != 0 {
				host += inside
			}
		} else if want := next(host, got); at != want {
			break
		}
		got += im.size - (off+got)&(im.size-1)
	}
	return host, min(got, n), nil
}

// next is where bytes go on that begin at host: nowhere if that is nowhere.
func next(host, n int64) int64 {
	if host == 0 {
		return 0
	}
	return host + n
}

// A write is a part of a request, in clusters that lie side by side.
type write struct {
	cluster int64 // the first, on the disk
	n       int64 // clusters
	host    int64 // where the first is in the file
	fresh   bool  // the disk does not have them there yet
	given   bool  // and they were given out for it
	virgin  bool  // nothing was ever there: around what is written are zeroes
}

// WriteAt writes p at offset off of the disk, in bytes. It does not make the
// disk longer: past its end there is no space.
func (im *Image) WriteAt(co *coro.Co, p []byte, off int64) error {
	if off > im.Length() || int64(len(p)) > im.Length()-off {
		return syscall.ENOSPC
	}
	for len(p) > 0 {
		w, err := im.prepare(co, off, int64(len(p)))
		if err != nil {
			return err
		}
		n := min(int64(len(p)), (w.cluster+w.n)<<im.h.clusterBits-off)
		if err := im.perform(co, w, p[:n], off); err != nil {
			return err
		}
		p, off = p[n:], off+n
	}
	return nil
}

// prepare says where the first of the n bytes at off are to be written. If
// that is a new place, the clusters are pending until finish.
func (im *Image) prepare(co *coro.Co, off, n int64) (w write, err error) {
	im.lock.Lock(co)
	defer im.lock.Unlock(co)
	w.cluster = off >> im.h.clusterBits
	for im.pending[w.cluster] {
		im.settled.Wait(co, &im.lock)
	}
	i, j := im.place(w.cluster)
	switch {
	case im.broken || i >= len(im.l1):
		return w, syscall.EIO
	case im.readOnly:
		return w, syscall.EPERM
	}
	t, err := im.writableL2(co, i)
	if err != nil {
		return w, err
	}
	e := t.entry(j)
	if err := im.checkEntry(co, e, w.cluster); err != nil {
		return w, err
	}
	last := min((off+n-1)>>im.h.clusterBits, w.cluster|(1<<im.l2Bits-1))
	k, host := classify(e)
	w.host, w.n = host, 1
	switch k {
	case packed:
		return w, syscall.ENOTSUP
	case normal:
		for ; e&copied != 0 && w.cluster+w.n <= last && t.entry(j+int(w.n)) == e+uint64(w.n)<<im.h.clusterBits; w.n++ {
		}
	case zeroAllocated:
		w.fresh = true
	case unallocated, zeroes:
		err := im.giveOut(co, &w, last)
		return w, err
	}
	if err := im.sole(co, e, host); err != nil {
		return w, err
	}
	if err := im.protect(co, host, w.n<<im.h.clusterBits, true); err != nil {
		return w, err
	}
	if w.fresh {
		im.pending[w.cluster] = true
	}
	return w, nil
}

// giveOut finds a place for the write's first cluster and for those behind it,
// up to last, that have none and can be had beside it.
func (im *Image) giveOut(co *coro.Co, w *write, last int64) (err error) {
	never := max(im.file.Length(), im.end<<im.h.clusterBits)
	if w.host, err = im.allocate(co); err != nil {
		return err
	}
	w.fresh, w.given, w.virgin = true, true, w.host >= never
	for w.n = 1; w.cluster+w.n <= last && !im.pending[w.cluster+w.n]; w.n++ {
		i, j := im.place(w.cluster + w.n)
		t, err := im.l2(co, i)
		if err != nil {
			break // it comes again when its turn comes
		}
		if k, _ := classify(t.entry(j)); k != unallocated && (k != zeroes || im.h.version < 3) {
			break
		}
		if off, err := im.allocateAt(co, w.host>>im.h.clusterBits+w.n); off == 0 || err != nil {
			break
		}
	}
	for c := w.cluster; c < w.cluster+w.n; c++ {
		im.pending[c] = true
	}
	return nil
}

// writableL2 returns the L2 table of an L1 entry, and makes it if need be.
func (im *Image) writableL2(co *coro.Co, i int) (*table, error) {
	t, err := im.l2(co, i)
	if err != nil {
		return nil, err
	}
	if t != nil {
		if t.dirty || im.l1[i]&copied != 0 {
			return t, im.protect(co, t.off, im.size, false)
		}
		if err := im.sole(co, im.l1[i], t.off); err != nil {
			return nil, err
		}
		return im.l2(co, i) // counting may have taken the place of the table
	}
	off, err := im.allocate(co)
	if err != nil {
		return nil, err
	}
	if t, err = im.create(co, off, kindL2); err != nil {
		return nil, err
	}
	im.l1[i] = uint64(off) | copied
	im.l1Dirty[i] = true
	return t, nil
}

// perform moves the data of a write, p at off, and enters new places.
func (im *Image) perform(co *coro.Co, w write, p []byte, off int64) error {
	if !w.fresh {
		return im.writeFile(co, p, w.host+off-w.cluster<<im.h.clusterBits)
	}
	entered := false
	defer func() {
		if !entered { // the coroutine is ended while the data moves
			im.settle(w)
		}
	}()
	err := im.writeFresh(co, w, p, off)
	im.lock.Lock(co)
	defer im.lock.Unlock(co)
	defer im.settle(w)
	entered = true
	if err == nil {
		err = im.enter(co, w)
	}
	if err != nil && w.given {
		// Nothing refers to them. If this fails as well they stay counted.
		_ = im.releaseRegion(co, w.host, w.n<<im.h.clusterBits)
	}
	return err
}

// writeFresh writes p and, where something may have been, zeroes around it.
func (im *Image) writeFresh(co *coro.Co, w write, p []byte, off int64) error {
	at := off - w.cluster<<im.h.clusterBits
	if whole := w.n << im.h.clusterBits; !w.virgin && int64(len(p)) < whole {
		padded := make([]byte, whole)
		copy(padded[at:], p)
		p, at = padded, 0
	}
	return im.writeFile(co, p, w.host+at)
}

// enter makes the disk's clusters be where they were written.
func (im *Image) enter(co *coro.Co, w write) error {
	if im.broken {
		return syscall.EIO
	}
	i, j := im.place(w.cluster)
	t, err := im.l2(co, i)
	if err != nil {
		return err
	}
	for n := range w.n {
		t.setEntry(j+int(n), uint64(w.host+n<<im.h.clusterBits)|copied)
	}
	return nil
}

func (im *Image) settle(w write) {
	for c := w.cluster; c < w.cluster+w.n; c++ {
		delete(im.pending, c)
	}
	im.settled.Broadcast()
}

// Flush returns once everything that was written before is on stable storage,
// and the tables that lead to it.
func (im *Image) Flush(co *coro.Co) error {
	if im.readOnly {
		return nil
	}
	if err := im.flushTables(co); err != nil {
		return err
	}
	return im.flushFile(co) // without the lock: reads go on
}

func (im *Image) flushTables(co *coro.Co) error {
	im.lock.Lock(co)
	defer im.lock.Unlock(co)
	if im.broken {
		return syscall.EIO
	}
	return im.writeBack(co)
}
