package monitor

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
	"github.com/backplane-vm/backplane/rcu"
)

// XQueryStalls runs out of band, without the BQL: it takes leaf locks only.
func (h *handlers) XQueryStalls(*qmp.Call) (*api.XStalls, error) {
	m := h.m
	answer := &api.XStalls{Bql: lockState(m.BQL), Rcu: readers(m.RCU)}
	for _, c := range []*aio.Context{m.Loop.Main, m.Loop.IOHandler} {
		answer.Contexts = append(answer.Contexts, api.XStallsContext{Name: c.Name(), Coroutines: int64(c.Coroutines())})
	}
	h.s.mu.Lock()
	defer h.s.mu.Unlock()
	for _, c := range h.s.clients {
		answer.Monitors = append(answer.Monitors, c.state())
	}
	return answer, nil
}

func lockState(l *bql.Lock) api.XStallsLock {
	h, held := l.Holder()
	state := api.XStallsLock{Held: held, Waiters: h.Queue}
	if held {
		state.Thread, state.What, state.Since = &h.Thread, &h.Who, &h.Held
	}
	return state
}

func readers(d *rcu.Domain) api.XStallsRCU {
	state := api.XStallsRCU{Holding: d.Holding(), Callbacks: int64(d.Backlog())}
	if ns, waits := d.Stalled(); waits {
		state.Waiting, state.Since = true, &ns
	}
	return state
}

// state describes the client for x-query-stalls.
func (c *qmpClient) state() api.XStallsMonitor {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.set.m.World.Now() // not before anything that it is compared with
	state := api.XStallsMonitor{Label: c.label, Queued: int64(len(c.queue)), Unread: int64(c.out.waiting())}
	work := func(name string, began int64, waits bool) {
		since := now - began
		state.Command, state.Since, state.Waits = &name, &since, &waits
	}
	stopped := func(why api.XStallsReason) { state.Stopped = &why }
	switch q := c.current; {
	case q != nil && q.inv != nil:
		work(q.inv.Name(), q.begun, q.scope != nil)
		if id, ok := q.ID(); ok {
			state.Id = &id
		}
	case c.asking != "":
		work(c.asking, c.asked, false)
	}
	switch {
	case c.out.full():
		stopped(api.XStallsReasonOutput)
	case c.backlog.Stopped():
		stopped(api.XStallsReasonQueue)
	}
	return state
}

// state describes the terminal. Whose command waits is not told by name: there
// is one at a time, and who sits there sees it.
func (c *hmpClient) state() api.XStallsMonitor {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := api.XStallsMonitor{Label: c.label, Unread: int64(c.out.waiting())}
	if c.busy {
		why := api.XStallsReasonQueue
		state.Stopped = &why
	}
	if c.out.full() {
		why := api.XStallsReasonOutput
		state.Stopped = &why
	}
	return state
}

// XCancel runs out of band.
func (h *handlers) XCancel(call *qmp.Call, args *api.XCancelArgs) error {
	target, _ := call.Monitor.(*qmpClient)
	if args.Monitor != nil {
		if target = h.s.labelled(*args.Monitor); target == nil {
			return qerr.New("There is no monitor '%s'", *args.Monitor)
		}
	}
	found, err := target.cancelRequest(args.Command)
	if !found {
		return qerr.New("No command with this id waits")
	}
	return err
}

// labelled returns the QMP client of that label, or nil.
func (s *Set) labelled(label string) (found *qmpClient) {
	s.each(func(c *qmpClient) {
		if c.label == label {
			found = c
		}
	})
	return found
}
