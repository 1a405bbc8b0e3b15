package scenario

import (
	"fmt"

	"github.com/backplane-vm/backplane/internal/block"
)

// scenarioG never changes.
var scenarioG = &Scenario{
	Letter: "G",
	Name:   "a drain that cannot reach the request",
	About: "block_resize is a coroutine and has a request in flight while it yields. Somebody drains the node in a nested " +
		"poll of the main context. The request has to come to its end there, which it cannot if the coroutine is to be " +
		"resumed in a context that the poll does not serve (Kevin Wolf's objection to the iohandler context).",
	Run: runG,
}

// resized is the size that the disk of scenario G gets, in bytes.
const resized = 1 << 14

func runG(l *Lab) {
	c := l.Connect("client")
	var disk *block.Node
	l.Machine.Locked("test", func() {
		var err error
		disk, err = l.Machine.Blocks.Add(nil, block.Options{
			Driver: "slow", NodeName: "n0", Gate: &block.Gate{DelayNS: 50_000},
			File: &block.Options{Driver: "memory", NodeName: "base", Size: 1 << 12},
		})
		check(err)
	})
	// What a disk does when its guest resets it: nothing of it may be in flight
	// afterwards.
	reset := l.AddDevice("disk", 0, func(uint64) { disk.Drain() })
	asked := l.NewFlag("asked")
	l.StartVCPU("CPU 0", func(v *VCPU) {
		asked.Wait()
		v.Write(reset.Addr, 0)
	})
	c.Send(fmt.Sprintf(`{"execute": "block_resize", "arguments": {"node-name": "n0", "size": %d}}`, resized))
	asked.Set()
	expect(c.Reply(), okReply)
	l.Machine.Locked("test", func() {
		if n := disk.Length(); n != resized || disk.InFlight() != 0 {
			panic(fmt.Sprintf("the disk has %d bytes and %d requests in flight", n, disk.InFlight()))
		}
	})
	l.vcpus[0].Join()
}
