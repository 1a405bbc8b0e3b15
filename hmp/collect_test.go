package hmp

import (
	"bufio"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// collect runs a line as human-monitor-command does.
func collect(cfg Config[noYield], line string) string {
	c := Collect(cfg, line)
	if c.Invocation != nil {
		c.Invocation.RunCo(noYield{})
	}
	return c.Text()
}

// TestRecordedReplies compares with replies of QEMU 10.0.2 to
// human-monitor-command.
func TestRecordedReplies(t *testing.T) {
	mach := &machine{ready: true}
	h := mach.handlers()
	h["x"] = Handler[noYield]{Run: func(*Call, *Args) error { return nil }}
	h["device_add"] = Handler[noYield]{Run: func(_ *Call, args *Args) error {
		return qerr.New("'%s' is not a valid device model name", args.Options("device").Text)
	}}
	table, err := StandardTable(h)
	if err != nil {
		t.Fatal(err)
	}
	cfg := mach.config(t)
	cfg.Table, cfg.Formats = table, NewFormatDefaults()

	for _, r := range recorded(t) {
		if got := collect(cfg, r.Line); got != r.Text {
			t.Errorf("%q\n got %q\nwant %q", r.Line, got, r.Text)
		}
	}
}

type reply struct{ Line, Text string }

func recorded(t *testing.T) (all []reply) {
	t.Helper()
	f, err := os.Open("testdata/human-monitor-command-10.0.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var r reply
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	if len(all) < 15 {
		t.Fatalf("only %d replies", len(all))
	}
	return all
}

// TestCollectIsNotInteractive: no history, no suspension, no prompt.
func TestCollectIsNotInteractive(t *testing.T) {
	mach := &machine{ready: true}
	cfg := mach.config(t)
	cfg.CPU = 1
	if got := collect(cfg, "sum 0 1"); got != "" || mach.slow != nil {
		t.Errorf("suspended or said something: %q", got)
	}
	if got := collect(cfg, "info history"); got != "" {
		t.Errorf("history: %q", got)
	}
	if got := collect(cfg, "info cpus"); got != "current 1\r\n" {
		t.Errorf("current CPU: %q", got)
	}
	if got := collect(cfg, "stop\x00 ignored"); got != "" {
		t.Errorf("text behind a NUL was read: %q", got)
	}
}

// TestFormatsAreShared: print's defaults outlive a monitor of one line.
func TestFormatsAreShared(t *testing.T) {
	cfg := (&machine{ready: true}).config(t)
	cfg.Formats = NewFormatDefaults()
	collect(cfg, "print /d 1")
	if got := collect(cfg, "print -1"); got != "-1\r\n" {
		t.Errorf("got %q", got)
	}
}

// TestStandardHelp compares every row of the standard table with what help
// prints in QEMU 10.0.2.
func TestStandardHelp(t *testing.T) {
	data, err := os.ReadFile("testdata/help-10.0.txt")
	if err != nil {
		t.Fatal(err)
	}
	reference := "\n" + string(data)
	h := Handlers[noYield]{}
	stub := Handler[noYield]{Run: func(*Call, *Args) error { return nil }}
	taken := builtins[noYield]()
	for prefix, rows := range map[string][]row{"": topRows, "info ": infoRows} {
		for _, r := range rows {
			first, _, _ := strings.Cut(r.name, "|")
			if _, ok := taken[prefix+first]; !ok && prefix+first != "info" {
				h[prefix+first] = stub
			}
			want := "\n" + prefix + r.name + " " + r.params + " -- " + r.help + "\n"
			if !strings.Contains(reference, want) {
				t.Errorf("help of %q is not QEMU's: %q", prefix+r.name, want)
			}
		}
	}
	table, err := StandardTable(h)
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config[noYield]{Table: table}
	text := strings.ReplaceAll(collect(cfg, "help")+collect(cfg, "info"), "\r\n", "\n")
	if n := strings.Count(text, " -- "); n != len(topRows)+len(infoRows) {
		t.Errorf("help prints %d rows of %d", n, len(topRows)+len(infoRows))
	}
	// Same order as in the reference: drop each line from it in turn.
	rest := reference
	for _, line := range strings.SplitAfter(text, "\n") {
		_, after, ok := strings.Cut(rest, line)
		if !ok {
			t.Fatalf("out of order: %q", line)
		}
		rest = after
	}
}

func TestTableRefusals(t *testing.T) {
	run := Handler[noYield]{Run: func(*Call, *Args) error { return nil }}
	both := Handler[noYield]{Run: run.Run, RunCo: func(noYield, *Call, *Args) error { return nil }}
	for _, h := range []Handlers[noYield]{
		{"nope": run}, {"info nope": run}, {"help": run}, {"info": run}, {"print": run},
		{"stop": {}}, {"stop": both}, {"s": run},
	} {
		if _, err := StandardTable(h); err == nil {
			t.Errorf("accepted %v", h)
		}
	}
	for _, rows := range [][]Command[noYield]{
		{{Name: "a|b"}, {Name: "b"}},
		{{Name: ""}},
		{{Name: "a|"}},
		{{Name: "a", Args: "x"}},
		{{Name: "a", Args: "x:"}},
		{{Name: "a", Args: ":s"}},
		{{Name: "a", Args: "x:Q"}},
		{{Name: "a", Args: "x:-"}},
		{{Name: "a", Args: "x:s."}},
		{{Name: "a", Args: "x:b?"}},
		{{Name: "a", Args: "x:s,"}},
		{{Name: "a", Sub: []Command[noYield]{{Name: "b", Args: "?"}}}},
	} {
		if _, err := NewTable(rows); err == nil {
			t.Errorf("accepted %+v", rows)
		}
	}
}

// TestCommandWithoutHandler: a row that is there and cannot be entered.
func TestCommandWithoutHandler(t *testing.T) {
	table, err := NewTable([]Command[noYield]{
		{Name: "gone"},
		{Name: "deep", Sub: []Command[noYield]{{Name: "er", Sub: []Command[noYield]{{Name: "est", Params: "p", Help: "h"}}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config[noYield]{Table: table}
	for line, want := range map[string]string{
		"gone":           "Command \"gone\" is not available.\r\n",
		"deep er est":    "Command \"deep er est\" is not available.\r\n",
		" deep  er":      "deep er est p -- h\r\n",
		"deep nope x":    "unknown command: 'deep nope'\r\n",
		"deep er nope x": "unknown command: 'deep er nope'\r\n",
	} {
		if got := collect(cfg, line); got != want {
			t.Errorf("%q: got %q, want %q", line, got, want)
		}
	}
	if names := table.Names(); !slices.Equal(names, []string{"deep", "gone"}) {
		t.Errorf("names %v", names)
	}
}

// TestWrongKindOfRun: an ordinary Run of a coroutine command is a bug of the
// caller, and says so.
func TestWrongKindOfRun(t *testing.T) {
	c := Collect((&machine{ready: true}).config(t), "device_add x")
	if !c.Invocation.Coroutine() || c.Invocation.Name() != "device_add" {
		t.Fatalf("%q is no coroutine command", c.Invocation.Name())
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	c.Invocation.Run()
}
