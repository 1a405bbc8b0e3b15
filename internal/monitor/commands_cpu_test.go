package monitor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// What is said of CPUs, and the refusals of what needs KVM, a balloon or a
// device with a configuration of its own; the words are QEMU's.
func TestModelAndRefusals(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := start(t, 0).qmp(ctx)
	for _, x := range []struct{ command, args, answer, fail string }{
		{"query-cpu-definitions", `{}`, `[{"name": "rv64", "typename": "rv64-riscv-cpu", "static": false, "deprecated": false}]`, ""},
		{"query-cpu-model-expansion", `{"type":"static","model":{"name":"rv64"}}`, "", "The requested expansion type is not supported"},
		{"query-cpu-model-expansion", `{"type":"full","model":{"name":"max"}}`, "", "The CPU type 'max' is not a known RISC-V CPU type"},
		{"query-cpu-model-expansion", `{"type":"full","model":{"name":"rv64","props":1}}`, "", "Invalid parameter type for 'model.props', expected: object"},
		{"query-cpu-model-expansion", `{"type":"full","model":{"name":"rv64","props":{"zba":1}}}`, "", "Invalid parameter type for 'model.props.zba', expected: boolean"},
		{"query-cpu-model-expansion", `{"type":"full","model":{"name":"rv64","props":{"zzz":true}}}`, "", "Property 'rv64-riscv-cpu.zzz' not found"},
		{"query-cpu-model-expansion", `{"type":"full","model":{"name":"rv64","props":{"m":true,"v":true}}}`, "", "CPU 'rv64' does not allow changing the value of 'v'"},
		{"query-stats", `{"target":"vcpu"}`, `[]`, ""},
		{"query-stats-schemas", `{"provider":"kvm"}`, `[]`, ""},
		{"balloon", `{"value":1048576}`, "", "No balloon device has been activated"},
		{"set-vcpu-dirty-limit", `{"dirty-rate":1}`, "", "dirty page limit feature requires KVM with accelerator property 'dirty-ring-size' set'"},
		{"cancel-vcpu-dirty-limit", `{}`, `{}`, ""},
		{"device-sync-config", `{"id":"nope"}`, "", "Device 'nope' not found"},
		{"device-sync-config", `{"id":"/machine/unattached"}`, "", "/machine/unattached is not a device"},
		{"device-sync-config", `{"id":"/machine/unattached/device[0]"}`, "", "device-sync-config is not supported for 'riscv.sifive.plic'"},
	} {
		answer, fail := ask(ctx, t, c, x.command, x.args)
		got := ""
		if fail == "" {
			got = qobject.Encode(answer)
		}
		if got != x.answer || fail != x.fail {
			t.Errorf("%s %s: %s %q, want %s %q", x.command, x.args, got, fail, x.answer, x.fail)
		}
	}
	answer, _ := ask(ctx, t, c, "query-cpu-model-expansion", `{"type":"full","model":{"name":"rv64","props":{"m":true,"sstc":false}}}`)
	text := qobject.Encode(answer)
	for _, want := range []string{`"name": "rv64"`, `"zicsr": true`, `"zaamo": true`, `"mmu": true`, `"sstc": false`, `"rva23s64": false`} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
	if strings.Contains(text, `"m": `) {
		t.Errorf("%s has letters", text)
	}
}
