package sched

import "time"

// Forever is the deadline of a [Parker.Park] without one.
const Forever int64 = 1<<63 - 1

// A Parker lets one goroutine wait for a token that any goroutine can leave.
// At most one token is kept, so an Unpark before the Park is not lost and many
// are one.
type Parker struct {
	w     *World
	token chan struct{}
	timer *time.Timer // owned by the parking goroutine
	sim   *simParker
}

// NewParker returns a Parker without a token.
func (w *World) NewParker() *Parker {
	if w.sim != nil {
		return &Parker{w: w, sim: &simParker{s: w.sim, name: "a token"}}
	}
	return &Parker{w: w, token: make(chan struct{}, 1)}
}

// For says what the token stands for, for schedules that people read, and
// returns p. It is for use before anybody parks.
func (p *Parker) For(what string) *Parker {
	if p.sim != nil {
		p.sim.name = what
	}
	return p
}

// Unpark leaves a token. It never blocks and may be called by anyone.
func (p *Parker) Unpark() {
	if p.sim != nil {
		p.sim.unpark()
		return
	}
	select {
	case p.token <- struct{}{}:
	default:
	}
}

// Park blocks until there is a token, which it takes, or until the World's
// clock reaches deadline (nanoseconds, as [World.Now]; [Forever] for none). It
// reports whether it took a token. One goroutine at a time may park.
func (p *Parker) Park(deadline int64) bool {
	if p.sim != nil {
		return p.sim.park(deadline)
	}
	select {
	case <-p.token:
		return true
	default:
	}
	if deadline == Forever {
		<-p.token
		return true
	}
	d := time.Duration(deadline - p.w.Now())
	if d <= 0 {
		return false
	}
	if p.timer == nil {
		p.timer = time.NewTimer(d)
	} else {
		p.timer.Reset(d)
	}
	select {
	case <-p.token:
		p.timer.Stop()
		return true
	case <-p.timer.C:
		return false
	}
}

// A Timer calls a function once its time has come.
type Timer struct {
	w   *World
	t   *time.Timer
	sim *simTimer
}

// NewTimer returns an unarmed Timer that will call f on a goroutine of its
// own. f must be short and must not block.
func (w *World) NewTimer(f func()) *Timer {
	if w.sim != nil {
		return &Timer{w: w, sim: &simTimer{s: w.sim, f: f}}
	}
	t := time.AfterFunc(time.Hour, f)
	t.Stop()
	return &Timer{w: w, t: t}
}

// Arm sets the timer to fire at deadline on the World's clock, in place of
// any earlier one. A deadline that has passed fires at once.
func (t *Timer) Arm(deadline int64) {
	if t.sim != nil {
		t.sim.arm(deadline)
		return
	}
	t.t.Reset(time.Duration(max(0, deadline-t.w.Now())))
}

// Stop disarms the timer. A call of f that has begun goes on.
func (t *Timer) Stop() {
	if t.sim != nil {
		t.sim.stop()
		return
	}
	t.t.Stop()
}
