package monitor

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// A Policy is an order of contexts: where the monitor runs commands, and how
// device_add waits. [Ours] is the one to use. The others are what QEMU did,
// what was proposed, and what was merged, kept so that the discussion about
// them can be run instead of read (internal/scenario).
type Policy string

// The policies.
const (
	// Ours: every command in the iohandler context, ordinary ones in a bottom
	// half; a coroutine command moves to the main context only for what
	// somebody may wait for there, such as a request that is in flight
	// (block_resize). device_add is a coroutine that yields for the grace
	// period of a failure; HMP is asynchronous.
	Ours Policy = "ours"
	// Nested is QEMU 5.2 to 8.1: every command in the main context, so also
	// from nested polls in vCPU threads; device_add drops the BQL and blocks;
	// HMP runs coroutine commands in a nested loop.
	Nested Policy = "nested"
	// RFC is the patch series of September 2023 on top of Nested: device_add
	// is a coroutine that creates the device in a bottom half of the main
	// context and then yields for the grace period; HMP is asynchronous, and
	// human-monitor-command does not wait for it.
	RFC Policy = "rfc"
	// Split is what was merged for QEMU 8.2 and later: ordinary commands in
	// the iohandler context, only coroutine commands in the main one;
	// device_add is ordinary, and drops the BQL and blocks when it fails.
	Split Policy = "split"
	// IOHandler is Split without the move: coroutine commands stay in the
	// iohandler context.
	IOHandler Policy = "iohandler"
)

// Policies returns all policies, Ours last.
func Policies() []Policy { return []Policy{Nested, RFC, Split, IOHandler, Ours} }

// ParsePolicy returns the policy of that name.
func ParsePolicy(name string) (Policy, error) {
	for _, p := range Policies() {
		if string(p) == name {
			return p, nil
		}
	}
	return "", qerr.New("Parameter 'x-dispatch' does not accept value '%s'", name)
}

// coroutineContext is where coroutine commands begin.
func (s *Set) coroutineContext() *aio.Context {
	if s.policy == Ours || s.policy == IOHandler {
		return s.m.Loop.IOHandler
	}
	return s.m.Loop.Main
}

// everythingInMain reports whether the dispatcher works in the main context.
func (p Policy) everythingInMain() bool {
	return p == Nested || p == RFC || mutant.Planted("monitor-all-in-main")
}

// humanNests reports whether HMP runs coroutine commands in a nested loop.
func (p Policy) humanNests() bool { return p == Nested || p == Split || p == IOHandler }

// drains reports whether a device_add that is no coroutine drains RCU, with
// the BQL dropped: always until QEMU 8.1, later after a failure only.
func (p Policy) drains(failed bool) bool { return p == Nested || failed }

// JobContext is where a job that a command starts first runs. Up to QEMU 10.0
// that is the main context, so a job can begin inside a vCPU's nested poll.
func (s *Set) JobContext() *aio.Context {
	if s.policy == Ours && !mutant.Planted("monitor-jobs-in-main") {
		return s.m.Loop.IOHandler
	}
	return s.m.Loop.Main
}

// commandTable returns the commands as the policy has them.
func (h *handlers) commandTable() []qmp.Command[*coro.Co] {
	table := api.Table(h)
	if h.s.policy == Ours {
		return table
	}
	for i := range table {
		switch c := &table[i]; c.Name {
		case "device_add":
			if h.s.policy == RFC {
				c.RunCo = h.deviceAddRFC
			} else {
				*c = qmp.Command[*coro.Co]{Name: c.Name, Options: c.Options &^ qmp.Coroutine, Run: h.deviceAddBlocking}
			}
		case "human-monitor-command":
			*c = qmp.Command[*coro.Co]{Name: c.Name, Options: c.Options &^ qmp.Coroutine, Run: h.humanCommandBlocking}
		}
	}
	return table
}

// deviceAddBlocking is device_add as an ordinary command that drops the BQL
// and blocks in the drain.
func (h *handlers) deviceAddBlocking(_ *qmp.Call, args *qobject.Dict) (any, error) {
	return nil, h.addAndBlock(args, qdev.JSON)
}

func (h *handlers) addAndBlock(args *qobject.Dict, f qdev.Flavour) error {
	_, err := h.m.Devices.Add(args, f)
	if h.s.policy.drains(err != nil) {
		h.m.BQL.Dropped(func() { h.m.RCU.Drain(nil, nil) })
	}
	return err
}

// deviceAddRFC is device_add of the patch series: creation outside coroutines,
// in a bottom half of the coroutine's context, then a drain that yields.
func (h *handlers) deviceAddRFC(co *coro.Co, _ *qmp.Call, args *qobject.Dict) (any, error) {
	return nil, h.addInBottomHalf(co, args, qdev.JSON)
}

func (h *handlers) addInBottomHalf(co *coro.Co, args *qobject.Dict, f qdev.Flavour) (err error) {
	co.Home().(*aio.Context).OneShot("device_add", func() {
		_, err = h.m.Devices.Add(args, f)
		co.Wake()
	})
	co.Yield()
	h.m.RCU.DrainCo(co)
	return err
}

// addByPolicy is the device_add of HMP.
func (h *handlers) addByPolicy(co *coro.Co, args *qobject.Dict) error {
	switch h.s.policy {
	case Ours:
		return h.deviceAdd(co, args, qdev.KeyVal)
	case RFC:
		return h.addInBottomHalf(co, args, qdev.KeyVal)
	}
	return h.addAndBlock(args, qdev.KeyVal)
}

// humanCommandBlocking is human-monitor-command as an ordinary command. A
// coroutine command of HMP runs in a nested loop that serves the main context
// only, and under the RFC does not run before the answer is given.
func (h *handlers) humanCommandBlocking(_ *qmp.Call, args *qobject.Dict) (any, error) {
	var a api.HumanMonitorCommandArgs
	if err := a.FromQObject(args); err != nil {
		return nil, err
	}
	c, err := h.s.collect(&a)
	if err != nil {
		return nil, err
	}
	switch inv := c.Invocation; {
	case inv == nil:
	case !inv.Coroutine():
		inv.Run()
	case h.s.policy.humanNests():
		h.s.runNested(inv)
	default:
		h.s.m.Loop.Main.Spawn("hmp-command", func(co *coro.Co) { inv.RunCo(co) })
	}
	return c.Text(), nil
}

// runNested runs a coroutine command of HMP by polling the main context until
// it is done.
func (s *Set) runNested(inv *hmp.Invocation[*coro.Co]) {
	done := false
	s.m.Loop.Main.Spawn("hmp-command", func(co *coro.Co) { inv.RunCo(co); done = true })
	s.m.Loop.Main.WaitWhile(func() bool { return !done })
}
