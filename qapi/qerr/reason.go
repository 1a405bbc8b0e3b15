package qerr

import (
	"errors"
	"strings"
	"syscall"
)

// Strerror returns the C library's words for errno, which QEMU's messages end
// in ("No such file or directory"); Go's differ in the case of the first letter
// only.
func Strerror(errno syscall.Errno) string {
	s := errno.Error()
	return strings.ToUpper(s[:1]) + s[1:]
}

// Reason is Strerror of the errno inside err; without one, err's own text.
func Reason(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return Strerror(errno)
	}
	return err.Error()
}
