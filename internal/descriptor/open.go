package descriptor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// root is where paths of sets begin.
const root = "/dev/fdset/"

// A File is an open file, from a path or from a set.
type File struct {
	*os.File
	release func() // tells the set; nil for a path
}

// Close closes the file and tells its set.
func (f *File) Close() error {
	err := f.File.Close()
	if f.release != nil {
		f.release()
	}
	return err
}

// Open is os.OpenFile for all names but /dev/fdset/N, which stand for a copy of
// the set's newest descriptor that was opened for the same access as flag asks.
// The copy shares its offset and its status flags with the original; the latter are set
// to those of flag, and the file is truncated if flag says so.
//
// An error about a set is an [*Error]; [Explain] words both kinds. Open may
// block as open(2) does.
func (s *Sets) Open(name string, flag int, perm fs.FileMode) (*File, error) {
	number, ok := strings.CutPrefix(name, root)
	if !ok {
		f, err := os.OpenFile(name, flag, perm)
		if err != nil {
			return nil, err
		}
		return &File{File: f}, nil
	}
	id, err := strconv.ParseInt(strings.TrimLeft(number, " \t\n\v\f\r"), 10, 32) // as strtol
	if err != nil || id < 0 {
		return nil, &Error{"Could not parse fdset " + name, unix.EINVAL}
	}
	if s == nil {
		s = new(Sets)
	}
	fd, release, err := s.copy(id, flag&^unix.O_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &File{NewFile(fd, name), release}, nil
}

// copy duplicates what fits flag of the set id. release gives the place in the
// set back, once.
func (s *Sets) copy(id int64, flag int) (fd int, release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.findLocked(id)
	if t == nil {
		return -1, nil, &Error{fmt.Sprintf("Failed to find fdset %s%d", root, id), unix.ENOENT}
	}
	for _, m := range slices.Backward(t.fds) {
		has, err := unix.FcntlInt(uintptr(m.fd), unix.F_GETFL, 0)
		switch {
		case err != nil:
			return -1, nil, failed(err, "Failed to read file status flags for fd=%d", m.fd)
		case !fits(has, flag):
			continue
		}
		fd, err := duplicate(m.fd, has, flag)
		if err != nil {
			return -1, nil, failed(err, "Failed to dup() given file descriptor fd=%d", m.fd)
		}
		t.dups++
		return fd, sync.OnceFunc(func() { s.release(t) }), nil
	}
	return -1, nil, &Error{fmt.Sprintf("Failed to find file descriptor with matching flags=0x%x", flag), unix.EACCES}
}

func failed(err error, format string, a ...any) *Error {
	e := &Error{Desc: fmt.Sprintf(format, a...)}
	_ = errors.As(err, &e.Errno) // it is one of the system's
	return e
}

// fits reports whether a descriptor with the status flags has can stand for one
// opened with want. That bypasses the host's cache or not cannot be changed
// behind the back of whoever else uses it.
func fits(has, want int) bool {
	const same = unix.O_ACCMODE | unix.O_DIRECT
	return has&same == want&same
}

// duplicate copies fd, which has the status flags has, and gives the copy those
// of flag.
func duplicate(fd, has, flag int) (int, error) {
	if has&unix.O_SYNC != flag&unix.O_SYNC {
		return -1, unix.EINVAL
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	_, err = unix.FcntlInt(uintptr(own), unix.F_SETFL, flag)
	if fresh := unix.O_CREAT | unix.O_EXCL; err == nil && (flag&unix.O_TRUNC != 0 || flag&fresh == fresh) {
		err = unix.Ftruncate(own, 0)
	}
	if err != nil {
		_ = unix.Close(own)
		return -1, err
	}
	return own, nil
}

func (s *Sets) release(t *set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.dups--
	s.dropEmptyLocked(t)
}

// NewFile takes fd over. Where reads and writes may wait, as those of pipes do,
// the file's Close and deadlines end them.
func NewFile(fd int, name string) *os.File {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err == nil {
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFIFO, unix.S_IFSOCK, unix.S_IFCHR:
			_ = unix.SetNonblock(fd, true) // what cannot do it waits
		}
	}
	return os.NewFile(uintptr(fd), name)
}
