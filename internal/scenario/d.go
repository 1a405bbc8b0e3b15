package scenario

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/sched"
)

// scenarioD never changes.
var scenarioD = &Scenario{
	Letter: "D",
	Name:   "a query in the middle of a block operation",
	About: "An operation makes a node's state invalid, yields for I/O, and makes it valid; the main thread waits for it " +
		"in a nested poll. A query that is dispatched by that poll sees the invalid state (QEMU issue 1933).",
	Ports: 1,
	Run:   runD,
}

func runD(l *Lab) {
	c := l.Connect("client")
	valid := true
	l.extra["x-test-query"] = func() {
		if !valid {
			panic(sched.Violation{Kind: sched.Broken, Text: "a query sees a node in the middle of being re-read"})
		}
	}
	main := l.Machine.Loop.Main
	activated := l.NewFlag("activated")
	complete := func() {
		done := false
		main.Spawn("invalidate-cache", func(co *coro.Co) {
			valid = false
			aio.Sleep(co, l.Machine.Realtime, 50_000)
			valid, done = true, true
		})
		main.WaitWhile(func() bool { return !done })
		activated.Set()
	}
	l.World.Go("migration", func(*sched.Thread) { l.Machine.Loop.IOHandler.OneShot("migration completes", complete) })
	expect(c.Ask(`{"execute": "x-test-query"}`), okReply)
	activated.Wait()
}
