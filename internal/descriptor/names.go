package descriptor

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Names are the descriptors that one client of a monitor has given names to.
// The zero value has none.
type Names struct {
	mu     sync.Mutex
	fds    map[string]int
	closed bool
}

// Put takes fd over and gives it the name; what had that before is closed.
func (n *Names) Put(name string, fd int) error {
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		_ = unix.Close(fd)
		return qerr.New("Parameter 'fdname' expects a name not starting with a digit")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	old, had := n.fds[name]
	switch {
	case n.closed:
		_ = unix.Close(fd)
		return nil // nobody is there to use the name
	case had:
		_ = unix.Close(old)
	case len(n.fds) >= maxKept:
		_ = unix.Close(fd)
		return tooMany()
	case n.fds == nil:
		n.fds = make(map[string]int)
	}
	n.fds[name] = fd
	return nil
}

// Take gives up the descriptor called name; the caller owns it.
func (n *Names) Take(name string) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fd, ok := n.fds[name]
	if !ok {
		return -1, NotNamed(name)
	}
	delete(n.fds, name)
	return fd, nil
}

// NotNamed is the error for a name that nothing has.
func NotNamed(name string) error {
	return qerr.New("File descriptor named '%s' has not been found", name)
}

// CloseNamed closes the descriptor called name.
func (n *Names) CloseNamed(name string) error {
	fd, err := n.Take(name)
	if err != nil {
		return qerr.New("File descriptor named '%s' not found", name)
	}
	_ = unix.Close(fd)
	return nil
}

// Close closes all and keeps nothing that comes later.
func (n *Names) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	for _, fd := range n.fds {
		_ = unix.Close(fd)
	}
	n.fds = nil
}
