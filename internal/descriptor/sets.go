package descriptor

import (
	"errors"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// maxKept bounds the descriptors of all sets of a machine together, and the
// names of one client: far above what management hands in (two for a disk), and
// low enough to leave a process its sockets.
const maxKept = 1024

// Sets is the descriptor sets of one machine, by their numbers. The zero value
// has none; a nil Sets is one that never will.
type Sets struct {
	mu   sync.Mutex
	sets []*set // by id
	kept int
}

// A set is descriptors of which each open takes the one that fits, such as one
// for reading and one for writing the same file.
type set struct {
	id   int64
	fds  []member // in order of addition
	dups int      // how many opened files it has given; they keep its number taken
}

type member struct {
	fd     int
	opaque *string
}

// Added is where a descriptor was put.
type Added struct {
	Set int64
	FD  int
}

// Set describes a set, as query-fdsets does.
type Set struct {
	ID  int64
	FDs []Member
}

// Member is a descriptor of a [Set].
type Member struct {
	FD     int
	Opaque *string // what add-fd was told; may be nil
}

// Add takes fd over and puts it into the set id, or into the lowest that does
// not exist yet if id is nil.
func (s *Sets) Add(fd int, id *int64, opaque *string) (Added, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	switch {
	case id != nil && *id < 0:
		err = qerr.New("Parameter 'fdset-id' expects a non-negative value")
	case s.kept >= maxKept:
		err = tooMany()
	}
	if err != nil {
		_ = unix.Close(fd)
		return Added{}, err
	}
	number := s.freeLocked()
	if id != nil {
		number = *id
	}
	t := s.findLocked(number)
	if t == nil {
		t = &set{id: number}
		i, _ := s.searchLocked(number)
		s.sets = slices.Insert(s.sets, i, t)
	}
	t.fds = append(t.fds, member{fd, opaque})
	s.kept++
	return Added{number, fd}, nil
}

func tooMany() error {
	return qerr.New("too many file descriptors are kept already (maximum is %d)", maxKept)
}

// freeLocked is the lowest number without a set.
func (s *Sets) freeLocked() (id int64) {
	for _, t := range s.sets {
		if t.id != id {
			break
		}
		id++
	}
	return id
}

func (s *Sets) searchLocked(id int64) (int, bool) {
	return slices.BinarySearchFunc(s.sets, id, func(t *set, id int64) int {
		switch {
		case t.id < id:
			return -1
		case t.id > id:
			return 1
		}
		return 0
	})
}

func (s *Sets) findLocked(id int64) *set {
	if i, ok := s.searchLocked(id); ok {
		return s.sets[i]
	}
	return nil
}

// Remove closes the descriptor fd of the set id, or all of them if fd is nil.
// Files that were opened from it stay open; the set is gone when they are closed
// too.
func (s *Sets) Remove(id int64, fd *int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.findLocked(id)
	if t == nil {
		return notFound(id, fd)
	}
	i, n := 0, len(t.fds)
	if fd != nil {
		i = slices.IndexFunc(t.fds, func(m member) bool { return int64(m.fd) == *fd })
		if i < 0 {
			return notFound(id, fd)
		}
		n = i + 1
	}
	for _, m := range t.fds[i:n] {
		_ = unix.Close(m.fd)
	}
	s.kept -= n - i
	t.fds = slices.Delete(t.fds, i, n)
	s.dropEmptyLocked(t)
	return nil
}

func notFound(id int64, fd *int64) error {
	if fd != nil {
		return qerr.New("File descriptor named 'fdset-id:%d, fd:%d' not found", id, *fd)
	}
	return qerr.New("File descriptor named 'fdset-id:%d' not found", id)
}

// dropEmptyLocked forgets t if there is nothing left of it.
func (s *Sets) dropEmptyLocked(t *set) {
	if len(t.fds) == 0 && t.dups == 0 {
		s.sets = slices.DeleteFunc(s.sets, func(o *set) bool { return o == t })
	}
}

// List describes all sets, that with the highest number first, and the
// descriptors of each in the order in which they came.
func (s *Sets) List() []Set {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Set, 0, len(s.sets))
	for _, t := range slices.Backward(s.sets) {
		d := Set{ID: t.id}
		for _, m := range t.fds {
			d.FDs = append(d.FDs, Member{m.fd, m.opaque})
		}
		list = append(list, d)
	}
	return list
}

// Close closes what is in the sets. Opened files stay open.
func (s *Sets) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.sets {
		for _, m := range t.fds {
			_ = unix.Close(m.fd)
		}
		t.fds = nil
	}
	s.sets, s.kept = nil, 0
}

// Inherit adds a copy of a descriptor that the process was started with: the
// flag -add-fd.
func (s *Sets) Inherit(fd int, id int64, opaque *string) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC != 0 { // what was inherited cannot have it
		return qerr.New("fd is not valid or already in use")
	}
	if id < 0 {
		return qerr.New("set option is required and must be non-negative")
	}
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return qerr.New("error duplicating fd: %s", qerr.Reason(err))
	}
	_, err = s.Add(own, &id, opaque)
	return err
}

// An Error says why a set's path could not be opened, in the words that QEMU
// has for it; where QEMU says no more than the system's error, that is Errno.
type Error struct {
	Desc  string
	Errno unix.Errno
}

// Error implements error.
func (e *Error) Error() string { return e.Desc }

// Unwrap returns the system's error.
func (e *Error) Unwrap() error { return e.Errno }

// Explain makes the error of a file that could not be opened: what is known of
// a set, else the text that is given and the system's reason behind it.
func Explain(err error, format string, a ...any) *qerr.Error {
	var e *Error
	if errors.As(err, &e) {
		return qerr.New("%s", e.Desc)
	}
	return qerr.Prepend(qerr.New("%s", qerr.Reason(err)), format+": ", a...)
}
