// Package hostfile reads the host's small files for those who hold others up:
// secrets, certificates and lists that are read under the big lock.
//
// Goroutines: none. Locks: none.
package hostfile

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long in all the writer of a pipe is waited for: it is a process
// that runs at the same time, as of a shell's <(…).
const patience = 2 * time.Second

// pieceSize is how much is read at once.
const pieceSize = 16 << 10

// Read returns all that a file holds, and what is known of the file. It may take
// as long as the host's disk, but no longer than two seconds for what the writer
// of a pipe has not written, which is EAGAIN; more than limit bytes are EFBIG.
func Read(name string, limit int) ([]byte, os.FileInfo, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var text []byte
	failed := raw.Read(func(fd uintptr) bool {
		text, err = readAll(int(fd), limit, info.Mode()&os.ModeNamedPipe != 0)
		return true
	})
	if err == nil {
		err = failed
	}
	return text, info, err
}

// readAll reads fd, which does not block, to its end. A pipe that has said
// nothing is not at its end as long as no writer has gone.
func readAll(fd, limit int, pipe bool) (text []byte, err error) {
	buf := make([]byte, pieceSize)
	gone, left := false, unix.NsecToTimespec(int64(patience))
	for {
		n, err := unix.Read(fd, buf)
		switch {
		case err == unix.EINTR:
		case n > 0 && len(text)+n > limit:
			return nil, unix.EFBIG
		case n > 0:
			text = append(text, buf[:n]...)
		case err == nil && (!pipe || gone || len(text) > 0):
			return text, nil
		case err != nil && err != unix.EAGAIN:
			return nil, err
		case left.Nano() <= 0:
			return nil, unix.EAGAIN
		default:
			gone = poll(fd, &left)
		}
	}
}

// poll waits for fd to have something, and tells whether its writer has gone. Linux
// takes the time that this takes off left. That it had to wait no longer, for whatever
// reason, shows in the next read.
func poll(fd int, left *unix.Timespec) (gone bool) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	_, _ = unix.Ppoll(fds, left, nil)
	return fds[0].Revents&unix.POLLHUP != 0
}
