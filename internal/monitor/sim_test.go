package monitor_test

import (
	"io"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/machine/virt"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/internal/sched/schedtest"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// wire is a connection in a simulated World: two queues of bytes.
type wire struct {
	mu      sched.Mutex
	change  *sched.Cond
	to, fro []byte // to the monitor, and from it
	closed  bool
}

func newWire(w *sched.World) *wire {
	c := &wire{}
	c.mu.Init(w, "wire")
	c.change = sched.NewCond(&c.mu)
	return c
}

func (c *wire) take(queue *[]byte, p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(*queue) == 0 {
		if c.closed {
			return 0, io.EOF
		}
		c.change.Wait()
	}
	n := copy(p, *queue)
	*queue = (*queue)[n:]
	return n, nil
}

func (c *wire) put(queue *[]byte, p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return 0, io.ErrClosedPipe
	}
	*queue = append(*queue, p...)
	c.change.Broadcast()
	return len(p), nil
}

// Read, Write and Close are the monitor's.
func (c *wire) Read(p []byte) (int, error)  { return c.take(&c.to, p) }
func (c *wire) Write(p []byte) (int, error) { return c.put(&c.fro, p) }
func (c *wire) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.change.Broadcast()
	return nil
}

// TestGivingUpUnderAnySchedule lets a command's end, its deadline, x-cancel and
// the client's leaving race. Every command is answered once and in order, and
// the machine comes to its end.
func TestGivingUpUnderAnySchedule(t *testing.T) {
	registry, err := virt.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, extra string
		stays       bool // to read the replies
	}{
		{"cancel", ``, true}, {"deadline", `, "x-deadline-ms": 0`, true}, {"leave", ``, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			schedtest.Explore(t, 300, func(w *sched.World) {
				m := machine.New(machine.Config{World: w, Registry: registry})
				set, err := monitor.New(m, monitor.Config{Version: qmp.Version{Major: 10}})
				if err != nil {
					panic(err)
				}
				m.Start()
				w.Go("stays a while", func(*sched.Thread) {
					r := m.RCU.Register("stays a while")
					defer r.Unregister()
					r.Lock()
					w.Point("a section")
					r.Unlock()
				})
				c := newWire(w)
				served := w.Go("qmp reader", func(*sched.Thread) { set.ServeQMP(c, false) })
				text := `{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}` +
					`{"execute": "device_add", "arguments": {"driver": "virtio-blk-pci"}, "id": "first"` + test.extra + `}` +
					`{"execute": "query-name", "id": "second"}{"exec-oob": "x-cancel", "arguments": {"command": "first"}, "id": "past"}`
				if _, err := c.put(&c.to, []byte(text)); err != nil {
					panic(err)
				}
				if test.stays {
					answers(c)
				}
				c.Close()
				served.Join()
				set.Close()
				m.Close()
			})
		})
	}
}

// answers reads what the commands are answered.
func answers(c *wire) {
	var parser qobject.Parser
	var order []string
	buf := make([]byte, 4096)
	for len(order) < 3 {
		n, err := c.take(&c.fro, buf)
		if err != nil {
			panic(err)
		}
		parser.Feed(buf[:n], func(v any, _ error) {
			if id, ok := v.(*qobject.Dict).Get("id"); ok {
				order = append(order, id.(string))
			}
		})
	}
	text := strings.Join(order, " ")
	if !strings.Contains(text, "past") || strings.TrimSpace(strings.ReplaceAll(strings.Replace(text, "past", "", 1), "  ", " ")) != "first second" {
		panic("answered in the order " + text)
	}
}
