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

// Datagrams, serial ports and hubs are made of what chardev-add says, and refused in
// QEMU's words.
func TestChardevAddBackends(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := start(t, 0).qmp(ctx)
	inet := func(port, more string) string {
		return `{"type":"inet","data":{"host":"127.0.0.1","port":"` + port + `"` + more + `}}`
	}
	for _, x := range []struct{ backend, fail, typ string }{
		{`{"type":"udp","data":{"remote":` + inet("9", "") + `}}`, "", "chardev-udp"},
		{`{"type":"udp","data":{"remote":` + inet("9", `,"ipv6":true`) + `,"local":` + inet("0", "") + `}}`, "", "chardev-udp"},
		{`{"type":"udp","data":{"remote":` + inet("", "") + `}}`, "Failed to add chardev 'c': remote port not specified", ""},
		{`{"type":"udp","data":{"remote":` + inet("9", `,"ipv4":false,"ipv6":false`) + `}}`, "Failed to add chardev 'c': Cannot disable IPv4 and IPv6 at same time", ""},
		{`{"type":"udp","data":{"remote":` + inet("9", "") + `,"local":{"type":"unix","data":{"path":"/x"}}}}`, "Failed to add chardev 'c': socket type unsupported for datagram", ""},
		{`{"type":"udp","data":{"remote":{"type":"unix","data":{"path":"/x"}}}}`, "Failed to add chardev 'c': socket type unsupported for datagram", ""},
		{`{"type":"udp","data":{"remote":{"type":"fd","data":{"str":"x"}}}}`, "Failed to add chardev 'c': socket type unsupported for datagram", ""},
		{`{"type":"udp","data":{}}`, "Parameter 'backend.data.remote' is missing", ""},
		{`{"type":"serial","data":{"device":"/dev/null"}}`, "", "chardev-serial"},
		{`{"type":"serial","data":{"device":"/nonexistent"}}`, "Failed to add chardev 'c': Could not open '/nonexistent': No such file or directory", ""},
		{`{"type":"hub","data":{"chardevs":["n"]}}`, "", "chardev-hub"},
		{`{"type":"hub","data":{"chardevs":["n","c"]}}`, "Failed to add chardev 'c': hub: chardev can't be found by id 'c'", ""},
		{`{"type":"hub","data":{"chardevs":[]}}`, "Failed to add chardev 'c': hub: 'chardevs' list is not defined", ""},
		{`{"type":"tty","data":{"device":"/dev/null"}}`, "Parameter 'type' does not accept value 'tty'", ""},
	} {
		if _, fail := ask(ctx, t, c, "chardev-add", `{"id":"n","backend":{"type":"null","data":{}}}`); fail != "" {
			t.Fatal(fail)
		}
		_, fail := ask(ctx, t, c, "chardev-add", `{"id":"c","backend":`+x.backend+`}`)
		if fail != x.fail {
			t.Errorf("%s: %q, want %q", x.backend, fail, x.fail)
		}
		if fail == "" {
			typ, _ := ask(ctx, t, c, "qom-get", `{"path":"/chardevs/c","property":"type"}`)
			if typ != any(x.typ) {
				t.Errorf("%s: %v, want %s", x.backend, typ, x.typ)
			}
			if got, want := human(t, ctx, c, "info chardev"), "c: filename="+strings.TrimPrefix(x.typ, "chardev-")+"\n"; !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q", x.backend, got, want)
			}
			if _, fail := ask(ctx, t, c, "chardev-remove", `{"id":"c"}`); fail != "" {
				t.Error(fail)
			}
		}
		if _, fail := ask(ctx, t, c, "chardev-remove", `{"id":"n"}`); fail != "" {
			t.Error(fail)
		}
	}
}
