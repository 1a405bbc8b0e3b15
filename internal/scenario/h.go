package scenario

// scenarioH never changes.
var scenarioH = &Scenario{
	Letter: "H",
	Name:   "out-of-band commands while all is stuck",
	About: "The main loop may be blocked in a drain that cannot end (C). An out-of-band command has to be answered " +
		"all the same, past the command that is stuck on its own connection.",
	Ports: 1,
	Run:   runH,
}

func runH(l *Lab) {
	c := l.Connect("client")
	leave := l.stay()
	c.Send(badAdd)
	expect(c.Ask(`{"exec-oob": "x-test-oob", "id": 1}`), `{"return": {}, "id": 1}`)
	leave.Set()
	expect(c.Reply(), badReply)
}
