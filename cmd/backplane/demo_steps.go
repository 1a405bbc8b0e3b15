package main

import (
	"cmp"
	"fmt"
	"slices"

	guest "github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/internal/measure"
)

// An actor is who does a step.
type actor int

const (
	byClient  actor = iota // the management client
	byMachine              // answers and events
	byGuest                // what it says it did
)

func (a actor) String() string { return [...]string{"client", "machine", "guest"}[a] }

// A step is a line of a cycle's timeline.
type step struct {
	at   int64
	who  actor
	what string
}

// demoSteps tells a cycle step by step, in order of time.
func demoSteps(c *measure.Cycle) []step {
	var steps []step
	command := func(s measure.Span, text string) {
		if s.Asked != 0 {
			steps = append(steps, step{s.Asked, byClient, text})
		}
		if s.Answered != 0 {
			steps = append(steps, step{s.Answered, byMachine, "reply"})
		}
	}
	command(c.AddNode, "blockdev-add")
	command(c.Plug, "device_add virtio-blk-pci")
	command(c.Unplug.Span, "device_del")
	if c.Unplug.Deleted != 0 {
		steps = append(steps, step{c.Unplug.Deleted, byMachine, "DEVICE_DELETED: finalised, the id is free"})
	}
	command(c.DelNode, "blockdev-del")
	for _, l := range c.Lines {
		steps = append(steps, step{l.Time, byGuest, inWords(l.Line)})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	return steps
}

// inWords is a line of the guest's log for a person.
func inWords(l guest.Line) string {
	switch l.Event {
	case guest.EventPresence:
		return "sees a card in slot " + l.Get("slot")
	case guest.EventPowerOn:
		return "powers the slot, indicator blinks"
	case guest.EventLinkUp:
		return "link is up"
	case guest.EventFound:
		return fmt.Sprintf("finds %s at %s", l.Get("id"), l.Get("bdf"))
	case guest.EventDriverReady:
		return fmt.Sprintf("%s driver ready, %s sectors", l.Get("driver"), l.Get("capacity"))
	case guest.EventUp:
		return "indicator on: the slot is up"
	case guest.EventFirstRead:
		return fmt.Sprintf("has read its first sector: checksum %s %s", l.Get("checksum"), l.Get("sum"))
	case guest.EventWriteVerify:
		return fmt.Sprintf("has written at sector %s and read back: %s", l.Get("sector"), l.Get("result"))
	case guest.EventAttention:
		return "attention: somebody wants the card back"
	case guest.EventQuiesced:
		return "no more requests in flight"
	case guest.EventIO:
		return fmt.Sprintf("did %s reads, %s writes, %s errors", l.Get("reads"), l.Get("writes"), l.Get("errors"))
	case guest.EventPowerOff:
		return "powers the slot off: lets go"
	case guest.EventRemoved:
		return "sees the slot empty"
	}
	return l.String()
}
