package sched

// A Group is threads that come and go and are waited for together.
type Group struct {
	w     *World
	mu    Mutex
	live  map[*Thread]struct{}
	ended *Thread // the last whose function has returned; it waits for those before it
}

// NewGroup returns an empty Group of the World's threads.
func (w *World) NewGroup() *Group {
	g := &Group{w: w, live: make(map[*Thread]struct{})}
	g.mu.Init(w, "group of threads")
	return g
}

// Go is [World.Go] for a thread of the Group.
func (g *Group) Go(name string, f func(t *Thread)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.w.Go(name, func(t *Thread) {
		defer g.leave(t)
		f(t)
	})
	g.live[t] = struct{}{}
}

// leave is the last that a thread of the Group does.
func (g *Group) leave(t *Thread) {
	g.mu.Lock()
	delete(g.live, t)
	before := g.ended
	g.ended = t
	g.mu.Unlock()
	if before != nil {
		before.Join()
	}
}

// Join blocks until every thread of the Group has returned. The caller is none of
// them, and none is started meanwhile that is to be waited for.
func (g *Group) Join() {
	for idle := false; !idle; {
		g.mu.Lock()
		t := g.ended
		for t = range g.live {
			break
		}
		idle = len(g.live) == 0
		g.mu.Unlock()
		if t != nil {
			t.Join()
		}
	}
}
