package monitor_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// A virtio device that no driver has touched, in QEMU's words.
func TestVirtioStatus(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := start(t, 1).qmp(ctx)
	const device = "/machine/peripheral/r/virtio-backend"
	at := func(more string) string { return fmt.Sprintf(`{"path":%q%s}`, device, more) }
	for _, x := range []struct{ command, args, answer, fail string }{
		{"x-query-virtio-status", at(""), "", "Path " + device + " is not a VirtIODevice"},
		{"stop", `{}`, `{}`, ""}, // before the guest finds it
		{"device_add", `{"driver":"virtio-rng-pci","id":"r","bus":"rp0"}`, `{}`, ""},
		{"x-query-virtio", `{}`, `[{"name": "virtio-rng", "path": "` + device + `"}]`, ""},
		{"x-query-virtio-status", at(""), `"statuses": []`, ""},
		{"x-query-virtio-status", at(""), `"VIRTIO_RING_F_EVENT_IDX: Used & avail. event fields enabled"`, ""},
		{"x-query-virtio-status", `{"path":"/machine/peripheral/r"}`, "", "Path /machine/peripheral/r is not a VirtIODevice"},
		{"x-query-virtio-queue-status", at(`,"queue":0`), `"vring-num": 8`, ""},
		{"x-query-virtio-queue-status", at(`,"queue":9`), "", "Invalid virtqueue number 9"},
		{"x-query-virtio-queue-status", at(`,"queue":-1`), "", "Parameter 'queue' expects uint16_t"},
		{"x-query-virtio-queue-element", at(`,"queue":0`), "", "Region caches not initialized"},
		{"x-query-virtio-queue-element", `{"path":"/nope","queue":0}`, "", "Path /nope is not a VirtIO device"},
		{"x-query-virtio-vhost-queue-status", at(`,"queue":0`), "", "Error: vhost device has not started yet"},
		{"human-monitor-command", `{"command-line":"info virtio-status ` + device + `"}`, `  bus_name:                (null)\r\n  broken:                  false\r\n`, ""},
		{"human-monitor-command", `{"command-line":"info virtio-queue-status ` + device + ` 0"}`, `  VRing:\r\n    num:          8\r\n`, ""},
	} {
		answer, fail := ask(ctx, t, c, x.command, x.args)
		got := ""
		if fail == "" {
			got = qobject.Encode(answer)
		}
		if !strings.Contains(got, x.answer) || fail != x.fail {
			t.Errorf("%s %s: %s %q, want %s %q", x.command, x.args, got, fail, x.answer, x.fail)
		}
	}
}
