package block

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// file is the protocol driver over a regular file or a block device of the
// host. Its system calls run on the graph's pool.
type file struct {
	n       *Node
	f       *descriptor.File
	size    int64
	regular bool // and not a block device
	lock    fileLock
}

func openFile(n *Node) (driver, error) {
	o := &n.opts
	switch {
	case o.Filename == "":
		return nil, qerr.New("The 'file' block driver requires a file name")
	case o.Direct:
		return nil, qerr.New("Parameter 'cache.direct' is not supported by this build")
	}
	files := n.graph.files
	f, err := files.Open(o.Filename, openFlags(n.readOnly), 0)
	if err != nil && !n.readOnly && o.AutoReadOnly && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)) {
		n.readOnly = true
		f, err = files.Open(o.Filename, openFlags(true), 0)
	}
	if err != nil {
		return nil, descriptor.Explain(err, "Could not open '%s'", o.Filename)
	}
	d := &file{n: n, f: f, lock: fileLock{f: f.File, off: o.Locking == "off"}}
	if err := d.measure(); err != nil {
		f.Close()
		return nil, err
	}
	return d, nil
}

func openFlags(readOnly bool) int {
	if readOnly {
		return os.O_RDONLY | syscall.O_CLOEXEC
	}
	return os.O_RDWR | syscall.O_CLOEXEC
}

// couldNotOpen words an error of open(2) as QEMU does.
func couldNotOpen(name string, err error) error { return couldNot("open '"+name+"'", err) }

func (d *file) measure() error {
	st, err := d.f.Stat()
	if err != nil {
		return couldNotOpen(d.n.opts.Filename, err)
	}
	if m := st.Mode(); !m.IsRegular() && m&fs.ModeDevice == 0 || m&fs.ModeCharDevice != 0 {
		return qerr.New("'file' driver requires '%s' to be a regular file", d.n.opts.Filename)
	}
	d.regular = st.Mode().IsRegular()
	d.size, err = d.f.Seek(0, io.SeekEnd) // works for block devices as well
	if err != nil {
		return couldNotOpen(d.n.opts.Filename, err)
	}
	return nil
}

func (d *file) length() int64 { return d.size }

func (d *file) read(co *coro.Co, p []byte, off int64) (err error) {
	d.n.graph.pool.Run(co, func() {
		n, e := d.f.ReadAt(p, off)
		err = zeroTail(p, n, e)
	})
	return err
}

func (d *file) write(co *coro.Co, p []byte, off int64) (err error) {
	d.n.graph.pool.Run(co, func() { _, err = d.f.WriteAt(p, off) })
	if err == nil {
		d.size = max(d.size, off+int64(len(p)))
	}
	return err
}

func (d *file) truncate(co *coro.Co, size int64) (err error) {
	if !d.regular {
		if size > d.size {
			return qerr.New("Cannot grow device files")
		}
		return nil // a device stays as long as it is
	}
	d.n.graph.pool.Run(co, func() { err = d.f.Truncate(size) })
	if err != nil {
		return couldNot("resize file", err)
	}
	d.size = size
	return nil
}

// couldNot words the failure of a system call.
func couldNot(what string, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return qerr.New("Could not %s: %s", what, qerr.Strerror(errno))
	}
	return qerr.New("Could not %s: %v", what, err)
}

// zeroTail fills what a short read at the end of an image left.
func zeroTail(p []byte, n int, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		clear(p[n:])
		return nil
	}
	return err
}

func (d *file) flush(co *coro.Co) (err error) {
	d.n.graph.pool.Run(co, func() { err = d.f.Sync() })
	return err
}

func (d *file) setPermissions(need, share Perm) error { return d.lock.set(need, share) }

func (d *file) close() { d.f.Close() }

// allocated returns the bytes the host has allocated, 0 if it cannot tell.
func (d *file) allocated() int64 {
	var st syscall.Stat_t
	if err := syscall.Fstat(int(d.f.Fd()), &st); err != nil {
		return 0
	}
	return st.Blocks * 512
}
