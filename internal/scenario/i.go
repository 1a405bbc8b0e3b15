package scenario

// scenarioI never changes.
var scenarioI = &Scenario{
	Letter: "I",
	Name:   "the id and the drive after a failure",
	About: "Two device_adds fail after the device has taken its id and its drive. Right after each error reply both " +
		"are free again: the drive can be deleted, the id used anew.",
	Ports: 1,
	Run:   runI,
}

func runI(l *Lab) {
	c := l.Connect("client")
	f := l.flash(0)
	l.StartVCPU("CPU 0", func(v *VCPU) { v.Read(f.Addr, 4); v.Read(f.Addr, 4) })
	const add = `{"execute": "device_add", "arguments": {"driver": "virtio-blk-pci", "id": "d0", "bus": "rp0", "drive": "n0"`
	for range 2 {
		c.Must(`{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "n0"}}`)
		expect(c.Ask(add+`, "queue-size": 3}}`),
			`{"error": {"class": "GenericError", "desc": "invalid queue-size property (3), must be a power of 2 (max 1024)"}}`)
		c.Must(`{"execute": "blockdev-del", "arguments": {"node-name": "n0"}}`)
	}
	c.Must(`{"execute": "blockdev-add", "arguments": {"driver": "null-co", "node-name": "n0"}}`)
	c.Must(add + `}}`)
}
