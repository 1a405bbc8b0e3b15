package block

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Where in an image file QEMU and its tools take their advisory locks: a byte
// for each permission that is held, and one for each that is not shared. They
// are open-file-description locks, shared ones; a conflict is found by looking.
const (
	lockHeld     = 100
	lockUnshared = 200
)

// fileLock is the set of advisory locks on an open image.
type fileLock struct {
	f           *os.File
	off         bool // locking=off
	need, share Perm // what the locks stand for now
	active      bool // need and share have been set
}

// set changes the locks to those of (need, share), or leaves them as they are
// and says whose permission stands in the way.
func (l *fileLock) set(need, share Perm) error {
	if l.off {
		return nil
	}
	if need == 0 {
		share = AllPerms // nobody uses the image
	}
	was, wasShare := l.need, l.share
	if !l.active {
		was, wasShare = 0, AllPerms
	}
	if err := l.apply(was|need, wasShare&share); err == nil {
		err = l.check(need, share)
		if err != nil {
			_ = l.apply(was, wasShare)
			return err
		}
	} else {
		return qerr.New("Failed to lock byte %d", lockHeld)
	}
	l.need, l.share, l.active = need, share, true
	_ = l.apply(need, share)
	return nil
}

// apply takes the locks of (need, share) and releases all others.
func (l *fileLock) apply(need, share Perm) error {
	for i := range permBits {
		for _, b := range []struct {
			base int64
			take bool
		}{{lockHeld, need&(1<<i) != 0}, {lockUnshared, share&(1<<i) == 0}} {
			how := int16(unix.F_UNLCK)
			if b.take {
				how = unix.F_RDLCK
			}
			if err := l.fcntl(unix.F_OFD_SETLK, &unix.Flock_t{Type: how, Start: b.base + int64(i), Len: 1}); err != nil {
				return err
			}
		}
	}
	return nil
}

// check looks for another process that does not share what we need or holds
// what we do not share.
func (l *fileLock) check(need, share Perm) error {
	for i, name := range permNames {
		if need&(1<<i) != 0 && l.taken(lockUnshared+int64(i)) {
			return l.busy("Failed to get \"%s\" lock", name)
		}
		if share&(1<<i) == 0 && l.taken(lockHeld+int64(i)) {
			return l.busy("Failed to get shared \"%s\" lock", name)
		}
	}
	return nil
}

func (l *fileLock) busy(format, name string) error {
	return qerr.New(format, name).WithHint("Is another process using the image [%s]?\n", l.f.Name())
}

// taken reports whether another open file holds a lock on the byte.
func (l *fileLock) taken(at int64) bool {
	fl := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	return l.fcntl(unix.F_OFD_GETLK, &fl) == nil && fl.Type != unix.F_UNLCK
}

func (l *fileLock) fcntl(cmd int, fl *unix.Flock_t) error {
	return unix.FcntlFlock(l.f.Fd(), cmd, fl)
}
