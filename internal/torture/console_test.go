package torture

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/internal/machine/virt"
)

// console reads what the guest says, line by line, and remembers where every
// port stands. It is a [virt.Serial].
type console struct {
	mu      sync.Mutex
	line    []byte
	torn    []string          // the last lines, each of which a reset may have torn
	tail    []string          // the last lines
	ports   map[string]string // by the port's address: the last step of its slot
	counts  map[string]int    // of events
	missed  map[string]int    // by the port's address: how often a card was gone before the guest had begun
	faults  []string          // lines that tell of something gone wrong
	strange []string          // lines that are none of the guest's
	changed chan struct{}     // closed, and replaced, at every line
}

// tailLines is how much of the guest's log a failure shows.
const tailLines = 200

func newConsole() *console {
	return &console{ports: map[string]string{}, counts: map[string]int{}, missed: map[string]int{}, changed: make(chan struct{})}
}

func (c *console) Connect(virt.Port) {}
func (c *console) Resume()           {}

// Send takes a byte from the guest.
func (c *console) Send(b byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b != '\n' {
		c.line = append(c.line, b)
		return true
	}
	text := strings.TrimRight(string(c.line), "\r")
	c.line = c.line[:0]
	if text != "" {
		c.settle(text)
		c.take(text)
	}
	return true
}

// settle judges the lines that no reset has torn, now that text follows them: a
// boot follows those that were, perhaps after others that do not come to an end
// either; a whole line of another kind follows those that were not.
func (c *console) settle(text string) {
	_, err := demo.ParseLine(text)
	switch {
	case strings.Contains(text, "hart0: boot "):
		c.torn = c.torn[:0]
	case err == nil:
		for _, t := range c.torn {
			c.judge(t)
		}
		c.torn = c.torn[:0]
	}
	c.torn = append(c.torn, text)
}

// judge notes a line that a guest in good health does not say.
func (c *console) judge(text string) {
	l, err := demo.ParseLine(text)
	switch {
	case err != nil:
		c.strange = append(c.strange, text)
	case l.Failed():
		c.faults = append(c.faults, text)
	}
}

func (c *console) take(text string) {
	if c.tail = append(c.tail, text); len(c.tail) > tailLines {
		c.tail = c.tail[1:]
	}
	l, _ := demo.ParseLine(text)
	c.counts[l.Event]++
	switch l.Event {
	case demo.EventBoot:
		clear(c.ports)
	case demo.EventPresence, demo.EventUp, demo.EventRemoved, demo.EventAttention, demo.EventSurprise:
		c.ports[l.Get("port")] = l.Event
	}
	if l.Event == demo.EventSurprise {
		c.missed[l.Get("port")]++
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

// until blocks until ready, which is called with the lock held, says true.
func (c *console) until(ctx context.Context, what string, ready func() bool) error {
	for {
		c.mu.Lock()
		ok, changed := ready(), c.changed
		c.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("the guest does not come to: %s (%w)", what, context.Cause(ctx))
		}
	}
}

// booted waits until the guest has begun its work the n-th time.
func (c *console) booted(ctx context.Context, n int) error {
	return c.until(ctx, "ready", func() bool { return c.counts[demo.EventReady] >= n })
}

// up waits until the guest drives what is in the slot of a port.
func (c *console) up(ctx context.Context, port string) error {
	return c.until(ctx, "up at "+port, func() bool { return c.ports[port] == demo.EventUp })
}

// surprises is how often the guest found the slot of a port empty that it had
// just powered.
func (c *console) surprises(port string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.missed[port]
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.tail, "\n")
}
