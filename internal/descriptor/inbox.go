package descriptor

import (
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// maxMessage is how many descriptors one message may bring, QEMU's number; the
// kernel closes those beyond.
const maxMessage = 16

// An Inbox holds the descriptors that came with the latest message that brought
// any and that nobody has asked for yet. There is room for one message: the next
// one's take the place of what was left, which is closed.
type Inbox struct {
	mu      sync.Mutex
	fds     []int
	closed  bool
	control []byte // the reader's
}

// Read reads from a socket and keeps the descriptors that come with the bytes.
// It blocks as the connection's Read does; one goroutine may use it at a time.
func (b *Inbox) Read(conn *net.UnixConn, p []byte) (int, error) {
	if b.control == nil {
		b.control = make([]byte, unix.CmsgSpace(4*maxMessage))
	}
	n, control, _, _, err := conn.ReadMsgUnix(p, b.control)
	if control > 0 {
		b.Put(rights(b.control[:control]))
	}
	return max(n, 0), err
}

// rights returns the descriptors of a control message. What cannot be
// understood brings none.
func rights(control []byte) (fds []int) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return nil
	}
	for i := range messages {
		m := &messages[i]
		m.Data = m.Data[:len(m.Data)&^3] // half a descriptor is none
		if list, err := unix.ParseUnixRights(m); err == nil {
			fds = append(fds, list...)
		}
	}
	return fds
}

// Put takes the descriptors of a message over. They are made to wait, as senders
// may have theirs otherwise and readers do not expect it.
func (b *Inbox) Put(fds []int) {
	if len(fds) == 0 {
		return
	}
	for _, fd := range fds {
		_ = unix.SetNonblock(fd, false) // what it cannot be changed of is as it is
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	closeAll(b.fds)
	b.fds = fds
	if b.closed {
		b.dropLocked()
	}
}

// Take gives up the first descriptor that came with the latest message, and
// closes the others; the caller owns it. ok is false if there is none.
func (b *Inbox) Take() (fd int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.fds) == 0 {
		return -1, false
	}
	fd = b.fds[0]
	b.fds = b.fds[1:]
	b.dropLocked()
	return fd, true
}

// Return puts a descriptor back that was taken and not used, or closes it if
// others have come meanwhile.
func (b *Inbox) Return(fd int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.fds) > 0 {
		_ = unix.Close(fd)
		return
	}
	b.fds = []int{fd}
}

// Close closes what nobody has asked for, and keeps nothing that comes later.
func (b *Inbox) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.dropLocked()
}

func (b *Inbox) dropLocked() {
	closeAll(b.fds)
	b.fds = nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}
