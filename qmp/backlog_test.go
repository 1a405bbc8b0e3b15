package qmp_test

import (
	"testing"

	"github.com/backplane-vm/backplane/qmp"
)

// TestBacklog follows what was observed of QEMU.
func TestBacklog(t *testing.T) {
	t.Run("without oob one at a time", func(t *testing.T) {
		var b qmp.Backlog
		if !b.Push(false) || b.Pop() || !b.Stopped() || !b.Answered() || b.Stopped() {
			t.Error("the reader does not wait for the answer")
		}
	})
	t.Run("with oob eight wait", func(t *testing.T) {
		var b qmp.Backlog
		b.Push(true)
		b.Pop() // one in work
		for i := range qmp.MaxQueue {
			if stop := b.Push(true); stop != (i == qmp.MaxQueue-1) {
				t.Errorf("request %d behind the one in work: stop is %v", i+1, stop)
			}
		}
		if b.Waiting() != qmp.MaxQueue || b.Answered() || !b.Pop() {
			t.Error("the reader does not go on when one is taken")
		}
	})
	t.Run("the mode may change in between", func(t *testing.T) {
		var b qmp.Backlog
		b.Push(false) // qmp_capabilities, which switches oob on
		if b.Pop() || !b.Answered() || b.Push(true) {
			t.Error("the answer to qmp_capabilities does not let reading go on")
		}
	})
	t.Run("disconnect with requests waiting", func(t *testing.T) {
		var b qmp.Backlog
		b.Push(false)
		if !b.Clear() || b.Stopped() {
			t.Error("still stopped")
		}
	})
	t.Run("disconnect with one in work", func(t *testing.T) {
		var b qmp.Backlog
		b.Push(false)
		b.Pop()
		if b.Clear() || !b.Answered() {
			t.Error("the next client is read before the command is done")
		}
	})
}
