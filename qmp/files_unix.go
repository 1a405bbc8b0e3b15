//go:build unix

package qmp

import (
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// copyFiles makes copies for the time that sending takes: callers may close
// theirs when they give a call up.
func copyFiles(files []*os.File) (copies []*os.File, err error) {
	for _, f := range files {
		c, err := copyFile(f)
		if err != nil {
			closeFiles(copies)
			return nil, err
		}
		copies = append(copies, c)
	}
	return copies, nil
}

func copyFile(f *os.File) (*os.File, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd := -1
	var failed error
	err = raw.Control(func(from uintptr) {
		syscall.ForkLock.RLock()
		defer syscall.ForkLock.RUnlock()
		if fd, failed = syscall.Dup(int(from)); failed == nil {
			syscall.CloseOnExec(fd)
		}
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return nil, fmt.Errorf("copying a file to send: %w", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// rightsOf is the control message that files go in.
func rightsOf(files []*os.File) (control []byte, err error) {
	var fds []int
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err == nil {
			err = raw.Control(func(fd uintptr) { fds = append(fds, int(fd)) })
		}
		if err != nil {
			return nil, err
		}
	}
	return syscall.UnixRights(fds...), nil
}

// sendWithFiles writes line with copies of files, and may block as writes do.
func sendWithFiles(conn io.Writer, line []byte, files []*os.File) error {
	control, err := rightsOf(files)
	if err != nil {
		return err
	}
	n, _, err := conn.(*net.UnixConn).WriteMsgUnix(line, control, nil)
	if err == nil && n < len(line) {
		_, err = conn.Write(line[n:])
	}
	return err
}
