package scenario

// scenarioK never changes.
var scenarioK = &Scenario{
	Letter: "K",
	Name:   "a client that hangs up while its command waits",
	About: "A client disconnects while its device_add waits for a grace period. The command comes to its end, nothing " +
		"is left behind, and the next client can use the id.",
	Ports: 1,
	Run:   runK,
}

func runK(l *Lab) {
	first, second := l.Connect("first"), l.Connect("second")
	leave := l.stay()
	first.Send(badAdd)
	expect(second.Ask(`{"execute": "query-name"}`), okReply) // the first command is at work, or will be
	first.Close()
	expect(second.Ask(`{"execute": "query-name"}`), okReply)
	leave.Set()
	expect(second.Ask(badAdd), badReply)
	expect(second.Ask(goodAdd), okReply)
}
