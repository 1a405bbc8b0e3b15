package aio

import (
	"fmt"
	"slices"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/sched"
)

// PoolIdle is how long, in nanoseconds, a worker waits for more before it
// leaves: QEMU's ten seconds.
const PoolIdle = 10_000_000_000

// A Pool runs blocking work, such as file I/O, on a bounded number of worker
// goroutines on behalf of coroutines. The queue holds one entry a waiting
// coroutine, so it is bounded by what bounds those. Safe for any goroutine.
type Pool struct {
	w      *sched.World
	max    int
	linger int64 // PoolIdle, except in tests

	mu      sched.Mutex
	queue   ring[job]       // guarded by mu, as the rest
	idle    []*sched.Parker // who waits for work, the last one first to get it
	workers []*sched.Thread
	started int
	closed  bool
}

type job struct {
	f    func()
	co   *coro.Co    // woken when f has returned,
	done *coro.Event // or, unless it is nil, this set
}

// NewPool returns a pool of at most max workers. None runs until needed.
func NewPool(w *sched.World, max int) *Pool {
	p := &Pool{w: w, max: max, linger: PoolIdle}
	p.mu.Init(w, "pool")
	return p
}

// Run runs f on a worker and yields co until it has returned. f runs without
// any lock. It cannot be cancelled; if co is killed meanwhile, f runs on.
func (p *Pool) Run(co *coro.Co, f func()) {
	p.submit(job{f: f, co: co})
	co.Yield()
}

// RunCancelable is Run, but returns an error if co is cancelled before or
// while f runs. Once begun f runs on, so it must not mind that its caller has
// gone.
func (p *Pool) RunCancelable(co *coro.Co, f func()) error {
	if err := co.Err(); err != nil {
		return err
	}
	done := new(coro.Event)
	p.submit(job{f: f, done: done})
	return done.WaitCancelable(co)
}

func (p *Pool) submit(j job) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		panic("aio: Run on a closed Pool")
	}
	p.queue.push(j)
	switch n := len(p.idle); {
	case n > 0:
		p.idle[n-1].Unpark()
		p.idle = p.idle[:n-1]
	case len(p.workers) < p.max:
		p.started++
		p.workers = append(p.workers, p.w.Go(fmt.Sprintf("worker%d", p.started), p.work))
	}
}

// work is what a worker does: it leaves when there has been nothing to do for
// long, or the pool closes. A panic of what it runs is not caught.
func (p *Pool) work(t *sched.Thread) {
	parker := p.w.NewParker().For("work")
	p.mu.Lock()
	for p.runQueued(); !p.closed; p.runQueued() {
		p.idle = append(p.idle, parker)
		p.mu.Unlock()
		woken := parker.Park(p.w.Now() + p.linger)
		p.mu.Lock()
		if woken {
			continue
		}
		if p.unidle(parker) || mutant.Planted("aio-pool-loses-work") {
			break
		}
		parker.Park(sched.Forever) // somebody took us off the list: a token is due
	}
	p.workers = slices.DeleteFunc(p.workers, func(have *sched.Thread) bool { return have == t })
	p.mu.Unlock()
}

// runQueued runs what is queued; mu is held, but not meanwhile.
func (p *Pool) runQueued() {
	for p.queue.n > 0 {
		j := p.queue.pop()
		p.mu.Unlock()
		j.f()
		if j.done != nil {
			j.done.Set()
		} else {
			j.co.Wake()
		}
		p.mu.Lock()
	}
}

// unidle takes parker off the idle list and reports whether it was there.
func (p *Pool) unidle(parker *sched.Parker) bool {
	for i, have := range p.idle {
		if have == parker {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			return true
		}
	}
	return false
}

// Close waits until queued work has run and all workers have left. Nobody may
// call Run any more.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	for _, w := range p.idle {
		w.Unpark()
	}
	p.idle = nil
	threads := slices.Clone(p.workers)
	p.mu.Unlock()
	for _, t := range threads {
		t.Join()
	}
}
