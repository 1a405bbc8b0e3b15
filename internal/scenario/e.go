package scenario

import "github.com/backplane-vm/backplane/internal/sched"

// scenarioE never changes.
var scenarioE = &Scenario{
	Letter: "E",
	Name:   "a job that starts inside a vCPU",
	About: "A command starts a job, whose first step is a bottom half. It must run in the main loop and not in the " +
		"nested poll of a vCPU that is in the middle of a device (QEMU issue 2111, in 10.0 still).",
	Ports: 1,
	Run:   runE,
}

func runE(l *Lab) {
	c := l.Connect("client")
	f := l.flash(0)
	started := l.NewFlag("job started")
	l.extra["x-test-job"] = func() {
		l.Set.JobContext().OneShot("job", func() {
			if d := l.Machine.BQL.Emulating(); d != "" {
				panic(sched.Violation{Kind: sched.Broken, Text: "a job starts on " + l.Machine.BQL.Owner().Name() +
					" in the middle of the emulation of " + d})
			}
			started.Set()
		})
	}
	asked := l.NewFlag("asked")
	l.StartVCPU("CPU 0", func(v *VCPU) {
		asked.Wait()
		v.Write(f.Addr, 1)
	})
	c.Send(`{"execute": "x-test-job"}`)
	asked.Set()
	expect(c.Reply(), okReply)
	started.Wait()
}
