package monitor_test

import (
	"github.com/backplane-vm/backplane/internal/machine/virt"
	"strings"
	"sync"
	"testing"
	"time"
)

// console collects what the guest prints and lets a test wait for a text.
type console struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{}
}

func newConsole() *console { return &console{more: make(chan struct{}, 1)} }

func (c *console) Connect(virt.Port) {}
func (c *console) Resume()           {}
func (c *console) Send(b byte) bool {
	c.mu.Lock()
	c.text.WriteByte(b)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
	return true
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

func (c *console) await(t *testing.T, want string) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !strings.Contains(c.String(), want) {
		select {
		case <-c.more:
		case <-deadline:
			t.Fatalf("the guest never said %q; it said:\n%s", want, c)
		}
	}
}
