package monitor

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/sched"
)

// TestHandToClosed: a descriptor that comes while a terminal is being closed
// has no owner, and is closed too.
func TestHandToClosed(t *testing.T) {
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := sched.NewWorld()
	c := new(hmpClient)
	c.mu.Init(w, "terminal")
	c.taken = sched.NewCond(&c.mu)
	c.closed = true
	c.inbox.Close()
	if c.hand([]byte("x"), fd) {
		t.Error("the terminal is open still")
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("the descriptor is open still: %v", err)
	}
}
