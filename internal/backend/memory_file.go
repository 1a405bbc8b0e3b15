package backend

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// fileType is memory that is a file of the host.
const fileType = "memory-backend-file"

// MemoryFile says which file memory is. A file that others cut short while it is
// mapped ends the process, as it does QEMU.
type MemoryFile struct {
	Path        string // of a file, which is made if it is not there, or of a folder for one without a name
	Align       uint64 // the mapping's, bytes; 0 for the host's
	Offset      uint64 // where in the file the memory starts, bytes
	DiscardData bool   // what the file has is of no use once the memory is gone
	ReadOnly    bool   // the file is not written
	ROM         *bool  // neither can the guest write the memory; by default as ReadOnly
}

// rom tells whether the guest cannot write the memory.
func (f *MemoryFile) rom() bool {
	if f.ROM != nil {
		return *f.ROM
	}
	return f.ReadOnly
}

// newFileMode is the mode of a file that is made.
const newFileMode = 0o644

// NewFileMemory returns memory that is f.
func NewFileMemory(w *sched.World, m *mem.Map, id string, o MemoryOptions, f MemoryFile) (*Memory, error) {
	if err := o.check(fileType); err != nil {
		return nil, err
	}
	switch {
	case f.ROM != nil && *f.ROM && !f.ReadOnly:
		return nil, qerr.New("property 'rom' = 'on' is not supported with 'readonly' = 'off'")
	case f.ROM != nil && !*f.ROM && f.ReadOnly && o.Share:
		return nil, qerr.New("property 'rom' = 'off' is incompatible with 'readonly' = 'on' and 'share' = 'on'")
	}
	b := &Memory{world: w, o: o, file: &f}
	file, made, err := f.open(id)
	if err != nil {
		return nil, qerr.New("can't open backing store %s for guest RAM: %s", f.Path, qerr.Reason(err))
	}
	defer file.Close()
	p, err := b.mapFile(file, id)
	if err == nil {
		kind := mem.RAM
		if b.readOnly() {
			kind = mem.ROM
		}
		err = b.become(m, id, kind, p, fileType, fileClass())
	}
	if err != nil {
		if made {
			_ = os.Remove(f.Path)
		}
		return nil, err
	}
	return b, nil
}

// readOnly tells whether the mapping cannot be written.
func (b *Memory) readOnly() bool { return b.file != nil && b.file.rom() }

// open opens the file, or makes it, which made tells. A file in a folder has no
// name by the time it is returned.
func (f *MemoryFile) open(id string) (file *os.File, made bool, err error) {
	if f.ReadOnly {
		if file, err = os.Open(f.Path); err != nil {
			return nil, false, err
		}
		if s, err := file.Stat(); err == nil && s.IsDir() {
			file.Close()
			return nil, false, unix.EISDIR
		}
		return file, false, nil
	}
	file, err = os.OpenFile(f.Path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, unix.EISDIR):
		if file, err = os.CreateTemp(f.Path, "qemu_back_mem."+id+"."); err == nil {
			err = os.Remove(file.Name())
		}
	case errors.Is(err, unix.ENOENT):
		file, err = os.OpenFile(f.Path, os.O_RDWR|os.O_CREATE|os.O_EXCL, newFileMode)
		made = err == nil
	}
	return file, made, err
}

// mapFile checks the file against the options and maps it.
func (b *Memory) mapFile(file *os.File, id string) ([]byte, error) {
	f, page := b.file, pageOf(file)
	switch {
	case f.Align%page != 0:
		return nil, qerr.New("alignment 0x%x must be multiples of page size 0x%x", f.Align, page)
	case f.Align&(f.Align-1) != 0:
		return nil, qerr.New("alignment 0x%x must be a power of two", f.Align)
	case f.Align > page:
		return nil, qerr.New("Parameter 'align' is not supported by this build beyond the page size 0x%x", page)
	case f.Offset%page != 0:
		return nil, qerr.New("offset 0x%x must be multiples of page size 0x%x", f.Offset, page)
	case b.o.Size < page && page > hostPage():
		return nil, qerr.New("memory size 0x%x must be equal to or larger than page size 0x%x", b.o.Size, page)
	}
	if err := b.extend(file, id, page); err != nil {
		return nil, err
	}
	if b.o.Size%page != 0 {
		return nil, qerr.New("backend '%s' memory size must be multiple of %s", fileType, pageText(page))
	}
	protection := unix.PROT_READ | unix.PROT_WRITE
	if b.readOnly() {
		protection = unix.PROT_READ
	}
	p, err := b.mmap(int(file.Fd()), f.Offset, protection)
	if err != nil {
		return nil, qerr.New("unable to map backing store for guest RAM: %s", qerr.Reason(err))
	}
	return p, nil
}

// extend makes an empty file as large as the memory, and refuses one that has
// something and too little.
func (b *Memory) extend(file *os.File, id string, page uint64) error {
	s, err := file.Stat()
	if err != nil || !s.Mode().IsRegular() {
		return err
	}
	var offset uint64
	if b.file != nil {
		offset = b.file.Offset
	}
	size := roundUp(b.o.Size, page)
	end := offset + size
	if size < b.o.Size || end < offset || end > maxMapping {
		return qerr.New("cannot set up guest memory '%s': %s", id, qerr.Reason(unix.EFBIG))
	}
	switch have := uint64(s.Size()); {
	case have >= end:
		return nil
	case have > 0:
		return qerr.New("%s backing store size 0x%x is too small for 'size' option 0x%x plus 'offset' option 0x%x", id, have, size, offset)
	case b.readOnly() || b.file != nil && b.file.ReadOnly:
		return nil // it cannot; whoever reads what is not there is told by the host
	}
	if err := file.Truncate(int64(end)); err != nil {
		return qerr.New("cannot make %s %d bytes large: %s", file.Name(), end, qerr.Reason(err))
	}
	return nil
}

// pageText is a page's size as people write it.
func pageText(page uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB"}
	for page >= 1<<10 && len(units) > 1 {
		page, units = page>>10, units[1:]
	}
	return fmt.Sprintf("%d %s", page, units[0])
}

// pageOf returns the size of the pages that the file is mapped in.
func pageOf(file *os.File) uint64 {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &fs); err == nil && fs.Type == unix.HUGETLBFS_MAGIC && fs.Bsize > 0 {
		return uint64(fs.Bsize)
	}
	return hostPage()
}
