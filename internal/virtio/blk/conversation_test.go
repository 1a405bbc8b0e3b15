package blk_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/backplane-vm/backplane/internal/virtio/virtiotest"
)

// testdata/legacy-registers.txt is a conversation of a guest with the legacy
// interface of QEMU 7.2, at random: c are writes to configuration space, w to
// registers, r are reads with what they gave; all are register, size, value.
func TestLegacyConversation(t *testing.T) {
	b, _, f := onRoot(t, "virtio-blk-pci", "num-queues", int64(2))
	text, err := os.Open("testdata/legacy-registers.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = text.Close() }()
	const ports = virtiotest.PIO + 0x1000
	lines := 0
	for {
		var what string
		var reg, size, v int
		if n, _ := fmt.Fscanf(text, "%s %x %d %x\n", &what, &reg, &size, &v); n != 4 {
			break
		}
		lines++
		switch what {
		case "c":
			f.Write(reg, uint32(v), size)
		case "w":
			b.Write(ports+uint64(reg), uint64(v), size)
			b.Settle()
		case "r":
			if got := b.Read(ports+uint64(reg), size); got != uint64(v) {
				t.Fatalf("line %d: register %#x reads %#x, QEMU's %#x", lines, reg, got, v)
			}
		}
	}
	if lines < 500 {
		t.Errorf("%d lines", lines)
	}
}
