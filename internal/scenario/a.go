package scenario

import (
	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/internal/sched"
)

// badAdd is a device_add that fails late: the device is made, given its id and
// its place, and then refused.
const badAdd = `{"execute": "device_add", "arguments": {"driver": "virtio-rng-pci", "id": "a", "bus": "rp0", "nope": 1}}`

// goodAdd is the one that succeeds.
const goodAdd = `{"execute": "device_add", "arguments": {"driver": "virtio-rng-pci", "id": "a", "bus": "rp0"}}`

// answers to them.
const (
	badReply = `{"error": {"class": "GenericError", "desc": "Property 'virtio-rng-pci.nope' not found"}}`
	okReply  = `{"return": {}}`
)

// expect panics, as a broken rule, unless a reply is what it has to be.
func expect(got, want string) {
	if got != want {
		panic("answered " + got + ", not " + want)
	}
}

// scenarioA never changes.
var scenarioA = &Scenario{
	Letter: "A",
	Name:   "two vCPUs in one device",
	About: "A vCPU's write makes a device stop its iothread and wait for that in a nested poll. The poll must not " +
		"run device_add, whose drain would drop the BQL and let a second vCPU into the same device (bug 2215192).",
	Ports: 1,
	Run:   runA,
}

func runA(l *Lab) {
	c := l.Connect("client")
	io := aio.NewIOThread(l.World, "iothread0")
	inside := l.NewFlag("inside")
	main := l.Machine.Loop.Main
	plane := l.AddDevice("data-plane", 0, func(value uint64) {
		if value != 0 {
			return
		}
		inside.Set()
		stopped := false
		io.OneShot("stop", func() { stopped = true; main.Notify() })
		main.WaitWhile(func() bool { return !stopped })
	})
	l.StartVCPU("CPU 0", func(v *VCPU) { v.Write(plane.Addr, 0) })
	l.StartVCPU("CPU 1", func(v *VCPU) {
		inside.Wait()
		v.Write(plane.Addr, 1)
	})
	expect(c.Ask(badAdd), badReply)
	for _, t := range l.vcpus {
		t.Join()
	}
	io.Stop()
	if l.nested != "" {
		panic(sched.Violation{Kind: sched.Broken, Text: "device_add ran in the middle of the emulation of " + l.nested})
	}
}
