package monitor_test

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/api"
)

// TestLog: what the machine tells of a guest that runs, in a file; and nothing of
// what is switched off.
func TestLog(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 1)
	c := g.qmp(ctx)
	g.con.await(t, "ready")
	name := t.TempDir() + "/log"
	say := func(line, want string) {
		t.Helper()
		if got := human(t, ctx, c, line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
	say("logfile "+name, "")
	say("log int,invalid_mem", "")
	say("trace-event r* on", "")
	say("info trace-events *t*", "riscv_trap : state 1\nmemory_region_ops_write : state 0\nvm_state_notify : state 0\nrunstate_set : state 1\n")
	say("trace-event vm_state_notify on", "")
	say("stop", "")
	say("trace-event riscv_trap off", "")
	say("cont", "")
	say("stop", "")
	say("log none", "")
	say("trace-event * off", "")
	say("cont", "")
	say("log in_asm", "Error: log item 'in_asm' is not supported by this build\n")
	say("log trace:nope", "Error: unknown event \"nope\"\n")
	say("trace-event vm_state_notify on 0", "event \"vm_state_notify\" is not vCPU-specific\n")
	say("trace-event nope on", "unknown event \"nope\"\n")
	say("info trace-events nope", "unknown event \"nope\"\n")
	say("info trace-events nope*", "")
	say("log trace:help", "runstate_set\nvm_state_notify\nmemory_region_ops_read\nmemory_region_ops_write\nriscv_trap\n")
	say("logfile a%d%d", "Bad logfile template: a%d%d\n")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for want, times := range map[string]int{
		`(?m)^runstate_set current_run_state \(running\) new_state \(paused\)$`: 2,
		`(?m)^runstate_set current_run_state \(paused\) new_state \(running\)$`: 1,
		`(?m)^vm_state_notify running 0 reason \(paused\)$`:                     2,
		`(?m)^vm_state_notify running 1 reason \(running\)$`:                    1,
	} {
		if n := len(regexp.MustCompile(want).FindAll(text, -1)); n != times {
			t.Errorf("%s: %d times in\n%.2000s", want, n, text)
		}
	}
}

// TestTraceEvents: over QMP.
func TestTraceEvents(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := api.Client{Executor: start(t, 1).qmp(ctx)}
	if err := c.TraceEventSetState(ctx, &api.TraceEventSetStateArgs{Name: "memory_region_ops_*", Enable: true}); err != nil {
		t.Fatal(err)
	}
	list, err := c.TraceEventGetState(ctx, &api.TraceEventGetStateArgs{Name: "*"})
	if err != nil || len(list) != 5 {
		t.Fatalf("%v, %v", list, err)
	}
	on := 0
	for _, e := range list {
		if e.State == api.TraceEventStateEnabled {
			on++
		}
	}
	if on != 2 {
		t.Errorf("%d are on: %v", on, list)
	}
	if _, err := c.TraceEventGetState(ctx, &api.TraceEventGetStateArgs{Name: "nope"}); err == nil || !strings.HasSuffix(err.Error(), ": unknown event \"nope\"") {
		t.Error(err)
	}
}
