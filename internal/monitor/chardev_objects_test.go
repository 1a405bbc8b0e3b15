package monitor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// Character devices are objects as long as they are there.
func TestChardevObjects(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := start(t, 0).qmp(ctx)
	path := t.TempDir() + "/s"
	for _, x := range []struct{ command, args, answer, fail string }{
		{"chardev-add", `{"id":"n","backend":{"type":"null","data":{}}}`, `{}`, ""},
		{"chardev-add", `{"id":"s","backend":{"type":"socket","data":{"server":true,"wait":false,"addr":{"type":"unix","data":{"path":"` + path + `"}}}}}`, `{}`, ""},
		{"qom-list", `{"path":"/chardevs"}`, `"child<chardev-null>"`, ""},
		{"qom-get", `{"path":"/chardevs/s","property":"connected"}`, `false`, ""},
		{"qom-get", `{"path":"/chardevs/s","property":"addr"}`, `"path": "` + path + `"`, ""},
		{"qom-set", `{"path":"/chardevs/s","property":"connected","value":true}`, "", "Property 'chardev-socket.connected' is not writable"},
		{"device_del", `{"id":"/chardevs/s"}`, "", "/chardevs/s is not a device"},
		{"chardev-change", `{"id":"s","backend":{"type":"null","data":{}}}`, `{}`, ""},
		{"qom-get", `{"path":"/chardevs/s","property":"type"}`, `"chardev-null"`, ""},
		{"chardev-remove", `{"id":"s"}`, `{}`, ""},
		{"qom-list", `{"path":"/chardevs/s"}`, "", "Device '/chardevs/s' not found"},
		{"qom-list-properties", `{"typename":"chardev-socket"}`, `"SocketAddress"`, ""},
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
