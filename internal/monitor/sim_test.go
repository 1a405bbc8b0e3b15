package monitor_test

import (
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/machine/virt"
	"github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/qdev"
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

// conversation is what a client has been sent.
type conversation struct {
	order   []string                 // ids of the replies
	replies map[string]*qobject.Dict // by id
	events  []string
}

// hear reads until n replies with an id have come.
func hear(c *wire, n int) *conversation {
	var parser qobject.Parser
	said := &conversation{replies: make(map[string]*qobject.Dict)}
	buf := make([]byte, 4096)
	for len(said.order) < n {
		n, err := c.take(&c.fro, buf)
		if err != nil {
			panic(err)
		}
		parser.Feed(buf[:n], func(v any, _ error) {
			d := v.(*qobject.Dict)
			if id, ok := d.Get("id"); ok {
				said.order = append(said.order, id.(string))
				said.replies[id.(string)] = d
			}
			if name, ok := d.Get("event"); ok {
				said.events = append(said.events, name.(string))
			}
		})
	}
	return said
}

// answers reads what the commands are answered.
func answers(c *wire) {
	text := strings.Join(hear(c, 3).order, " ")
	if !strings.Contains(text, "past") || strings.TrimSpace(strings.ReplaceAll(strings.Replace(text, "past", "", 1), "  ", " ")) != "first second" {
		panic("answered in the order " + text)
	}
}

// TestCancelUnderAnySchedule cancels a command, by x-cancel or its deadline, at
// any point while a request of a disk is in flight: its answer is true, and
// whatever it is the machine is sound.
func TestCancelUnderAnySchedule(t *testing.T) {
	registry, err := virt.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, command string
		check         func(m *machine.Machine, said *conversation, done bool)
	}{
		{"block_resize", `"block_resize", "arguments": {"node-name": "s", "size": 1024}`, func(m *machine.Machine, _ *conversation, done bool) {
			assert(m.Blocks.Lookup("s").Length() == map[bool]int64{false: 512, true: 1024}[done], "length")
		}},
		{"blockdev-del", `"blockdev-del", "arguments": {"node-name": "s"}`, func(m *machine.Machine, _ *conversation, done bool) {
			assert((m.Blocks.Lookup("s") == nil) == done, "node")
		}},
		{"stop", `"stop"`, func(m *machine.Machine, said *conversation, done bool) {
			events := strings.Join(said.events, " ")
			if done {
				assert(m.State() == machine.Paused && events == "STOP", events)
			} else {
				assert(m.State() == machine.Running && (events == "" || events == "STOP RESUME"), events)
			}
		}},
		{"system_reset", `"system_reset"`, func(m *machine.Machine, said *conversation, done bool) {
			assert(m.State() == machine.Running && slices.Contains(said.events, "RESET") == done, "reset")
		}},
	} {
		outcomes := map[bool]int{}
		for _, end := range []struct {
			name, text string
			takes      int64 // the request of the disk, in nanoseconds
		}{
			{"x-cancel", "}" + cancelling, 1000},
			{"deadline at once", `, "x-deadline-ms": 0}`, 1000},
			{"deadline while it waits", `, "x-deadline-ms": 1}`, 2_000_000},
		} {
			t.Run(test.name+", "+end.name, func(t *testing.T) {
				schedtest.Explore(t, 300, func(w *sched.World) {
					outcomes[cancelRun(w, registry, `{"execute": `+test.command+`, "id": "x"`+end.text, end.takes, test.check)]++
				})
			})
		}
		if schedtest.Runs(300) >= 300 && (outcomes[true] == 0 || outcomes[false] == 0) {
			t.Errorf("%s came to its end %d times, and was cancelled %d times", test.name, outcomes[true], outcomes[false])
		}
	}
}

// cancelRun is one run of TestCancelUnderAnySchedule; it tells whether the
// command, called x, came to its end.
func cancelRun(w *sched.World, registry *qdev.Registry, text string, takes int64,
	check func(m *machine.Machine, said *conversation, done bool),
) (done bool) {
	m := machine.New(machine.Config{World: w, Registry: registry})
	set, err := monitor.New(m, monitor.Config{Version: qmp.Version{Major: 10}})
	must(err)
	m.Start()
	written := w.NewParker()
	must(m.Do("set-up", func(co *coro.Co) {
		must(m.Cont(co))
		n, err := m.Blocks.Add(nil, block.Options{Driver: "slow", NodeName: "s", Gate: &block.Gate{DelayNS: takes},
			File: &block.Options{Driver: "memory", Size: 512}})
		must(err)
		m.Loop.Main.Spawn("write", func(co *coro.Co) { must(n.WriteAt(co, []byte{1}, 0)); written.Unpark() })
	}))
	c := newWire(w)
	served := w.Go("qmp reader", func(*sched.Thread) { set.ServeQMP(c, false) })
	_, err = c.put(&c.to, []byte(`{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}`+text))
	must(err)
	said := hear(c, strings.Count(text, `"id": `))
	done = said.replies["x"].Has("return")
	written.Park(sched.Forever)
	must(m.Do("check", func(*coro.Co) { check(m, said, done) }))
	must(m.Do("use", func(co *coro.Co) { // what the command has held is free
		if n := m.Blocks.Lookup("s"); n != nil {
			b, err := m.Blocks.Attach(n, "/d")
			must(err)
			must(b.Claim(false, false))
			aio.Within(co, m.Loop.Main, func() { must(b.WriteAt(co, []byte{1}, 0)) })
			b.Close()
			must(m.Blocks.Delete(co, "s"))
		}
		must(m.Stop(co))
		must(m.Cont(co))
	}))
	c.Close()
	served.Join()
	set.Close()
	m.Close()
	return done
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func assert(ok bool, what string) {
	if !ok {
		panic("wrong: " + what)
	}
}
