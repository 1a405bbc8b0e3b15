package monitor

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// throttleInterval is the least time between two events of the same kind that
// a guest, or a disk that fails, could send without end. Source: QEMU 10.0,
// 1000 ms for all that are limited.
const throttleInterval = 1_000_000_000

// throttled are the limited events, each with the members of its data that
// make two of them different kinds. Source: QEMU 10.0. The table never changes.
var throttled = map[string][]string{
	"RTC_CHANGE":                nil,
	"WATCHDOG":                  nil,
	"BALLOON_CHANGE":            nil,
	"QUORUM_REPORT_BAD":         {"node-name"},
	"QUORUM_FAILURE":            nil,
	"VSERPORT_CHANGE":           {"id"},
	"MEMORY_DEVICE_SIZE_CHANGE": {"qom-path"},
	"BLOCK_IO_ERROR":            {"qom-path"},
	"HV_BALLOON_STATUS_REPORT":  nil,
}

// A throttle lets the first event of a kind through, and of those that come
// within the interval the last, at its end. It belongs to the BQL, under which
// its timers run too: in the iohandler context.
type throttle struct {
	ctx   *aio.Context
	clock *aio.Clock
	send  func(stamped)
	kinds map[string]*pacing
}

// pacing is the state of a kind of which an event was sent not long ago.
type pacing struct {
	timer *aio.Timer
	held  stamped
	holds bool
}

// stamped is an event and when it happened.
type stamped struct {
	qmp.Event
	at qmp.Timestamp
}

func newThrottle(ctx *aio.Context, clock *aio.Clock, send func(stamped)) *throttle {
	return &throttle{ctx: ctx, clock: clock, send: send, kinds: make(map[string]*pacing)}
}

// event sends e now, or later, or never if a newer one takes its place. The
// caller holds the BQL.
func (t *throttle) event(e stamped) {
	kind, limited := kindOf(e.Event)
	if !limited {
		t.send(e)
		return
	}
	if p := t.kinds[kind]; p != nil {
		p.held, p.holds = e, true
		return
	}
	p := &pacing{}
	p.timer = t.ctx.Timer(t.clock, func() { t.expire(kind, p) })
	t.kinds[kind] = p
	t.send(e)
	p.timer.Arm(t.clock.Now() + throttleInterval)
}

// expire ends an interval: with an event sent another begins.
func (t *throttle) expire(kind string, p *pacing) {
	if !p.holds {
		delete(t.kinds, kind)
		return
	}
	p.holds = false
	t.send(p.held)
	p.timer.Arm(t.clock.Now() + throttleInterval)
}

// kindOf tells whether an event is limited, and names its kind.
func kindOf(e qmp.Event) (kind string, limited bool) {
	members, limited := throttled[e.Name]
	if !limited {
		return "", false
	}
	kind = e.Name
	if len(members) == 0 || e.Data == nil {
		return kind, true
	}
	data := e.Data
	if m, ok := data.(qobject.Marshaler); ok {
		data = m.QObject()
	}
	d, _ := data.(*qobject.Dict)
	for _, key := range members {
		v, _ := d.Get(key)
		kind += " " + qobject.Encode(v)
	}
	return kind, true
}
