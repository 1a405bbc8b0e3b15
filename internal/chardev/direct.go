package chardev

import (
	"errors"
	"syscall"
)

// errNotRaw is for connections whose bytes are not those of their socket, as
// under encryption.
var errNotRaw = errors.New("the connection is no plain socket")

// SyscallConn implements syscall.Conn for plain sockets, so that a monitor can
// answer without waking a thread for it.
func (s *socketConn) SyscallConn() (syscall.RawConn, error) {
	if c, ok := s.Conn.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errNotRaw
}
