package block

import "github.com/backplane-vm/backplane/coro"

// apart has f, which has requests in flight, run by a coroutine of its own in the
// main context, and yields co until it is done: f goes on also if co is cancelled
// meanwhile, and there is an error then. undo, unless nil, is called after an f whose
// success nobody has waited for. A nil co polls instead; see [Graph.Add].
func (g *Graph) apart(co *coro.Co, name string, f func(own *coro.Co) error, undo func()) error {
	var err error
	over := new(coro.Event)
	done, given := false, false // BQL
	g.main.Spawn(name, func(own *coro.Co) {
		defer func() { // also if it is ended with its context
			done = true
			over.Set()
		}()
		if err = f(own); err == nil && given && undo != nil {
			undo()
		}
	})
	if co == nil {
		g.main.WaitWhile(func() bool { return !done })
		return err
	}
	if cancelled := over.WaitCancelable(co); cancelled != nil && !done {
		given = true
		return cancelled
	}
	return err
}
