package backend

import (
	"os"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// What Linux is asked of memory.
const (
	noReserve   = unix.MAP_NORESERVE
	removePages = unix.MADV_REMOVE

	wordBits = 8 * int(unsafe.Sizeof(uintptr(0)))

	// mpolStrict and mpolMove are mbind's flags: what is there already moves, or
	// the call fails (linux/mempolicy.h).
	mpolStrict, mpolMove = 1, 2
)

// hostPage returns the size of the host's pages.
func hostPage() uint64 { return uint64(os.Getpagesize()) }

// mayMerge says whether the host may keep equal pages once. Few hosts do.
func mayMerge(p []byte, on bool) {
	advice := unix.MADV_UNMERGEABLE
	if on {
		advice = unix.MADV_MERGEABLE
	}
	_ = unix.Madvise(p, advice)
}

// mayDump says whether core dumps have the memory.
func mayDump(p []byte, on bool) error {
	if on {
		return unix.Madvise(p, unix.MADV_DODUMP)
	}
	return unix.Madvise(p, unix.MADV_DONTDUMP)
}

// bind says from which nodes of the host pages come (mbind(2)).
func bind(p []byte, policy string, nodes []uint16) error {
	mask := make([]uintptr, maxHostNodes/wordBits)
	for _, n := range nodes {
		mask[int(n)/wordBits] |= 1 << (int(n) % wordBits)
	}
	// The kernel counts one bit less than it is told.
	_, _, errno := unix.Syscall6(unix.SYS_MBIND, uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)),
		uintptr(slices.Index(MemoryPolicies(), policy)), uintptr(unsafe.Pointer(&mask[0])), maxHostNodes+1, mpolStrict|mpolMove)
	runtime.KeepAlive(mask)
	if errno != 0 {
		return errno
	}
	return nil
}

// prealloc has the host give all of p now. It fails where writing to it later
// would have killed the process.
func (b *Memory) prealloc(p []byte) error {
	parts := min(uint64(b.o.PreallocThreads), uint64(len(p))/hostPage(), maxPreallocThreads)
	each := roundUp(uint64(len(p))/parts, hostPage())
	var threads []*sched.Thread
	errs := make([]error, parts)
	for i := range parts {
		part := p[min(i*each, uint64(len(p))):min((i+1)*each, uint64(len(p)))]
		if len(part) == 0 {
			continue
		}
		threads = append(threads, b.world.Go("prealloc", func(*sched.Thread) {
			errs[i] = b.populate(part)
		}))
	}
	for _, t := range threads {
		t.Join()
	}
	for _, err := range errs {
		if err != nil {
			return qerr.New("qemu_prealloc_mem: preallocating memory failed: %s", qerr.Reason(err))
		}
	}
	return nil
}

// populate is prealloc for a part.
func (b *Memory) populate(p []byte) error {
	advice := unix.MADV_POPULATE_WRITE
	if b.readOnly() {
		advice = unix.MADV_POPULATE_READ
	}
	err := unix.Madvise(p, advice)
	if err == unix.EINVAL && b.file == nil && b.memfd == nil {
		for i := uint64(0); i < uint64(len(p)); i += hostPage() { // Linux before 5.14
			p[i] = 0
		}
		return nil
	}
	return err
}

// maxPreallocThreads is more than any host gains by.
const maxPreallocThreads = 64
