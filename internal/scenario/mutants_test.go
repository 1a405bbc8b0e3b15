//go:build mutants

package scenario

import (
	"testing"

	"github.com/backplane-vm/backplane/internal/mutant/mutanttest"
)

// Bugs in the monitor and the device model that the scenarios have to find.
func TestMutantsAreFound(t *testing.T) {
	cells := func(letter string) string { return "^TestExpect$/^" + letter }
	mutanttest.Check(t, []mutanttest.Mutant{
		{Name: "monitor-all-in-main", Breaks: "commands run in no nested poll", Test: cells("D")},
		{Name: "monitor-jobs-in-main", Breaks: "jobs begin in no nested poll", Test: cells("E")},
		{Name: "monitor-resize-stays", Breaks: "block_resize is where a drain reaches it", Test: cells("G")},
		{Name: "monitor-no-drain", Breaks: "device_add's error means that all is free", Test: cells("I")},
		{Name: "monitor-lost-wakeup", Breaks: "a request wakes its client's dispatcher", Test: cells("H")},
		{Name: "monitor-stays-full", Breaks: "an answer lets the client's reader go on", Test: cells("H")},
		{Name: "qdev-asks-twice", Breaks: "one device_del at a time asks the guest", Test: cells("J")},
		{Name: "qdev-deleted-early", Breaks: "DEVICE_DELETED means that all is free", Test: cells("J")},
		{Name: "qdev-keeps-drive", Breaks: "a device that is gone gives its drive back", Test: cells("J")},
	})
}
