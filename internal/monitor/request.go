package monitor

import (
	"context"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// A request is a command of a client that waits for its turn or is in work.
// The client's mu guards what is below it.
type request struct {
	qmp.Request
	inv   *qmp.Invocation[*coro.Co] // set when its turn has come
	read  int64                     // when it was read, on the World's clock
	timer *sched.Timer              // of its deadline; nil without one
	hasFD bool                      // a descriptor came with it that is not used yet
	fd    int

	begun  int64                   // when its turn came; 0 before
	reason *qerr.Error             // why it is not wanted any more
	scope  *coro.Scope             // in which it runs, if it is a coroutine
	cancel context.CancelCauseFunc // the same for what looks at Call.Ctx
}

var (
	errCancelled = qerr.New("The command was cancelled")
	errDeadline  = qerr.New("The command's deadline has passed")
	errTooLate   = qerr.New("The command cannot be cancelled: it does not wait")
)

// newRequest notes when r was read, and has it given up at its deadline.
func (c *qmpClient) newRequest(r qmp.Request) *request {
	w := c.set.m.World
	q := &request{Request: r, read: w.Now()}
	if after, ok := r.Deadline(); ok {
		q.timer = w.NewTimer(func() { c.expire(q) })
		q.timer.Arm(q.read + int64(after))
	}
	return q
}

// drop undoes newRequest and claim for a request that is done with, run or not.
func (c *qmpClient) drop(q *request) {
	if q.timer != nil {
		q.timer.Stop()
	}
	c.giveBack(q)
}

func (c *qmpClient) expire(q *request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q.giveUp(errDeadline)
}

// giveUp ends the request's waits for the given reason; if its turn has not
// come yet, it will not be run. The client's mu is held.
func (q *request) giveUp(reason *qerr.Error) {
	if q.reason != nil {
		return
	}
	q.reason = reason
	if q.scope != nil {
		q.cancel(reason)
		q.scope.Cancel(reason)
	}
}

// cancelRequest gives up the oldest request with that id; found tells whether
// there is one. The error is for one that runs and does not wait.
func (c *qmpClient) cancelRequest(id any) (found bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := qobject.Encode(id)
	same := func(q *request) bool {
		own, ok := q.ID()
		return ok && qobject.Encode(own) == text
	}
	if q := c.current; q != nil && same(q) {
		if q.scope == nil {
			return true, errTooLate
		}
		q.giveUp(errCancelled)
		return true, nil
	}
	for _, q := range c.queue {
		if q.reason == nil && same(q) {
			q.giveUp(errCancelled)
			return true, nil
		}
	}
	return false, nil
}

// beginLocked checks a request whose turn has come.
func (c *qmpClient) beginLocked(q *request) {
	var ctx context.Context
	ctx, q.cancel = context.WithCancelCause(c.ctx)
	c.current, q.begun = q, c.set.m.World.Now()
	q.inv = c.sess.Prepare(ctx, q.Request)
	if q.reason != nil {
		q.inv.Refuse(q.reason)
	}
}

// runCo runs a coroutine command in a scope that can be cancelled.
func (c *qmpClient) runCo(co *coro.Co, q *request) qmp.Reply {
	scope := co.Begin()
	defer scope.End()
	c.mu.Lock()
	q.scope = scope
	if q.reason != nil { // in the last moment
		q.cancel(q.reason)
		scope.Cancel(q.reason)
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		q.scope = nil
		c.mu.Unlock()
	}()
	return q.inv.AnswerCo(co)
}
