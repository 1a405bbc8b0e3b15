package scenario

// scenarioC never changes.
var scenarioC = &Scenario{
	Letter: "C",
	Name:   "drain against a busy guest",
	About: "A vCPU stays in its read-side section and a grace period waits for it already when device_add fails. " +
		"While that command's drain takes its time, the main loop has to serve everybody else; QEMU 10.0.2 hangs.",
	Ports: 1,
	Run:   runC,
}

// stay has a vCPU enter a read-side section and stay there until leave is set.
func (l *Lab) stay() (leave *Flag) {
	inside, leave := l.NewFlag("inside"), l.NewFlag("leave")
	l.StartVCPU("CPU 0", func(v *VCPU) {
		v.Reader.Lock()
		inside.Set()
		leave.Wait()
		v.Reader.Unlock()
	})
	inside.Wait()
	return leave
}

func runC(l *Lab) {
	slow, other := l.Connect("slow"), l.Connect("other")
	leave := l.stay()
	l.Machine.RCU.Call(func() {}) // a grace period begins to wait
	slow.Send(badAdd)
	expect(other.Ask(`{"execute": "query-name"}`), okReply)
	leave.Set()
	expect(slow.Reply(), badReply)
}
