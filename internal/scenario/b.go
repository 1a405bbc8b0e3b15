package scenario

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/mem"
)

// scenarioB never changes.
var scenarioB = &Scenario{
	Letter: "B",
	Name:   "drain inside a read-side section",
	About: "Flash memory writes its block device synchronously, in a nested poll, inside the RCU read-side section " +
		"of whoever accesses it: a vCPU, or the main thread for qtest. A drain that runs there waits for the section it " +
		"is in (bug 2214985).",
	Ports: 1,
	Run:   runB,
}

// flash is a device that writes synchronously: each write to it is I/O that is
// waited for in a nested poll. It has a BQL's worth of state and no more.
func (l *Lab) flash(n int) *Device {
	main := l.Machine.Loop.Main
	return l.AddDevice("flash", n, func(uint64) {
		done := false
		main.Spawn("blk_pwrite", func(co *coro.Co) {
			aio.Sleep(co, l.Machine.Realtime, 5_000)
			done = true
		})
		main.WaitWhile(func() bool { return !done })
	})
}

func runB(l *Lab) {
	c := l.Connect("client")
	f := l.flash(0)
	l.StartVCPU("CPU 0", func(v *VCPU) { v.Write(f.Addr, 1) })
	reader := l.Machine.RCU.Register("main")
	wrote := l.NewFlag("qtest done")
	l.Machine.Loop.IOHandler.OneShot("qtest", func() {
		reader.Lock()
		defer reader.Unlock()
		l.Machine.System.Write(mem.NewAccess(l.Machine.BQL.Owner()), f.Addr, 1, 4)
		wrote.Set()
	})
	expect(c.Ask(badAdd), badReply)
	wrote.Wait()
	l.vcpus[0].Join()
	reader.Unregister()
}
