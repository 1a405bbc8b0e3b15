package backend

import (
	"math/bits"
	"os"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// memfdType is memory that is a file without a name, for other processes that
// are given its descriptor.
const memfdType = "memory-backend-memfd"

// MemFD says what kind of nameless file memory is.
type MemFD struct {
	HugeTLB     bool   // of huge pages
	HugeTLBSize uint64 // of those, bytes; 0 for the host's choice
	Seal        bool   // its size can never change
}

// NewMemFD returns memory that is a nameless file (memfd_create(2)).
func NewMemFD(w *sched.World, m *mem.Map, id string, o MemoryOptions, f MemFD) (*Memory, error) {
	if err := o.check(memfdType); err != nil {
		return nil, err
	}
	flags := unix.MFD_CLOEXEC
	if f.HugeTLB {
		if f.HugeTLBSize&(f.HugeTLBSize-1) != 0 {
			return nil, qerr.New("Hugepage size must be a power of 2")
		}
		flags |= unix.MFD_HUGETLB
		if f.HugeTLBSize > 0 {
			flags |= bits.TrailingZeros64(f.HugeTLBSize) << unix.MFD_HUGE_SHIFT
		}
	}
	if f.Seal {
		flags |= unix.MFD_ALLOW_SEALING
	}
	fd, err := unix.MemfdCreate(memfdType, flags)
	if err != nil {
		return nil, qerr.New("failed to create memfd: %s", qerr.Reason(err))
	}
	file := os.NewFile(uintptr(fd), memfdType)
	defer file.Close()
	b := &Memory{world: w, o: o, memfd: &f}
	p, err := b.mapMemFD(file, id)
	if err != nil {
		return nil, err
	}
	return b, b.become(m, id, mem.RAM, p, memfdType, memfdClass())
}

// NoHugePages is the error for huge pages of no size.
func NoHugePages() error {
	return qerr.New("Property '%s.hugetlbsize' doesn't take value '0'", memfdType)
}

// mapMemFD gives the file its size, and maps it.
func (b *Memory) mapMemFD(file *os.File, id string) ([]byte, error) {
	fd := int(file.Fd())
	if err := unix.Ftruncate(fd, int64(b.o.Size)); err != nil {
		return nil, qerr.New("failed to resize memfd to %d: %s", b.o.Size, qerr.Reason(err))
	}
	if b.memfd.Seal {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL); err != nil {
			return nil, qerr.New("failed to add seals: %s", qerr.Reason(err))
		}
	}
	if err := b.extend(file, id, hostPage()); err != nil {
		return nil, err
	}
	p, err := b.mmap(fd, 0, unix.PROT_READ|unix.PROT_WRITE)
	if err != nil {
		return nil, qerr.New("unable to map backing store for guest RAM: %s", qerr.Reason(err))
	}
	return p, nil
}
