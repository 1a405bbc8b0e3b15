package hmp

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

var rewrite = flag.Bool("rewrite", false, "write what the monitor does into testdata/script")

// noYield is what the commands of these tests yield to.
type noYield struct{}

// machine is what the test commands act on.
type machine struct {
	deleted  []string
	ready    bool
	reported []error
	slow     *Call // a command that goes on in the background
}

func (m *machine) handlers() Handlers[noYield] {
	run := func(f func(*Call, *Args) error) Handler[noYield] { return Handler[noYield]{Run: f} }
	nothing := run(func(*Call, *Args) error { return nil })
	return Handlers[noYield]{
		"block_resize": run(func(_ *Call, args *Args) error {
			return qerr.New("Cannot find device='%s' nor node-name=''", args.String("device"))
		}),
		"cont": nothing, "stop": nothing, "quit": nothing,
		"cpu": run(func(call *Call, args *Args) error {
			if i := args.Int("index"); i < 2 {
				call.SetCPU(int(i))
			} else {
				call.Printf("invalid CPU index\n")
			}
			return nil
		}),
		"device_add": {RunCo: m.deviceAdd, Complete: func(args []string) []string {
			if len(args) != 1 {
				return nil
			}
			return []string{"virtio-rng-pci", "virtio-blk-pci", "virtio-blk-device", "pcie-root-port"}
		}},
		"device_del": {Run: m.deviceDel, Complete: func([]string) []string { return []string{"rng0"} }},
		"eject": run(func(_ *Call, args *Args) error {
			return qerr.Newc(qerr.DeviceNotFound, "Device '%s' not found", args.String("device"))
		}),
		"set_link": nothing,
		"sum": run(func(call *Call, _ *Args) error {
			if call.Suspend() {
				m.slow = call
			}
			return nil
		}),
		"info status": run(func(call *Call, _ *Args) error {
			call.Printf("VM status: paused (prelaunch)\n")
			return nil
		}),
		"info cpus": run(func(call *Call, _ *Args) error {
			call.Printf("current %d\n", call.CPU())
			return nil
		}),
		"info block": nothing,
	}
}

func (m *machine) deviceAdd(_ noYield, call *Call, args *Args) error {
	opts := args.Options("device")
	if opts.Text == "" {
		return qerr.New("Parameter 'driver' is missing")
	}
	if opts.Text == "hint" {
		return qerr.New("Bus '%v' not found", opts.Value).WithHint("first hint\nsecond hint\n")
	}
	call.Printf("added %v\n", opts.Value)
	return nil
}

func (m *machine) deviceDel(_ *Call, args *Args) error {
	id := args.String("id")
	if id != "rng0" {
		return qerr.Newc(qerr.DeviceNotFound, "Device '%s' not found", id)
	}
	m.deleted = append(m.deleted, id)
	return nil
}

func (m *machine) config(t testing.TB) Config[noYield] {
	t.Helper()
	table, err := StandardTable(m.handlers())
	if err != nil {
		t.Fatal(err)
	}
	return Config[noYield]{
		Table: table, Version: "7.2.22", CPU: NoCPU,
		Registers: func(_ noYield, cpu int) (Lookup, error) {
			return func(name string) (int64, bool) { return int64(cpu), name == "cpu" }, nil
		},
		Hooks: Hooks{
			Options: func(list, text string) (any, error) {
				if strings.Contains(text, "id=9") {
					return nil, qerr.New("Parameter 'id' expects an identifier")
				}
				return list + ":" + text, nil
			},
			Ready:  func() bool { return m.ready },
			Report: func(err error) { m.reported = append(m.reported, err) },
			Blocks: func() []string { return []string{"n0", "n1", "disk"} },
		},
	}
}

// TestScripts plays the scripts in testdata: a line of a script is something
// done to the monitor, the indented lines below it are the bytes that appear,
// quoted as in Go. Steps: open, type "bytes", focus in, focus out, ready,
// unready, resume (the end of a background command), reported.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(data))
			if *rewrite && !strings.Contains(file, "-recorded") {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			diffLines(t, got, string(data))
		})
	}
}

func diffLines(t *testing.T, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	step := ""
	for i := range max(len(g), len(w)) {
		a, b := at(g, i), at(w, i)
		if a != b {
			t.Fatalf("line %d, after %s\n got %s\nwant %s", i+1, step, a, b)
		}
		if !strings.HasPrefix(a, "\t") {
			step = a
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}

// play does the steps of a script and returns it with what appeared.
func play(t *testing.T, script string) string {
	t.Helper()
	mach := &machine{ready: true}
	m := New(mach.config(t))
	var b strings.Builder
	for _, line := range strings.Split(strings.TrimSuffix(script, "\n"), "\n") {
		switch {
		case strings.HasPrefix(line, "\t"):
			continue
		case line == "" || strings.HasPrefix(line, "#"):
			b.WriteString(line + "\n")
			continue
		}
		b.WriteString(line + "\n")
		for _, part := range strings.SplitAfter(step(t, mach, m, line), "\r\n") {
			if part != "" {
				b.WriteString("\t" + quote(part) + "\n")
			}
		}
	}
	return b.String()
}

// quote quotes bytes, not runes.
func quote(s string) string {
	q := strconv.QuoteToASCII(s)
	if strings.Contains(q, `\u`) {
		var b strings.Builder
		for i := range len(s) {
			if s[i] < 0x80 {
				b.WriteString(strings.Trim(strconv.Quote(s[i:i+1]), `"`))
			} else {
				fmt.Fprintf(&b, `\x%02x`, s[i])
			}
		}
		return `"` + b.String() + `"`
	}
	return q
}

func step(t *testing.T, mach *machine, m *Monitor[noYield], line string) string {
	t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	switch verb {
	case "open":
		m.Open()
	case "type":
		input, err := strconv.Unquote(rest)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		return feed(m, []byte(input))
	case "focus":
		if rest == "in" {
			m.FocusIn()
		} else {
			m.FocusOut()
		}
	case "ready", "unready":
		mach.ready = verb == "ready"
	case "resume":
		mach.slow.Printf("done\n")
		mach.slow.Resume()
	case "reported":
		var b strings.Builder
		for _, err := range mach.reported {
			b.WriteString(err.Error() + "\r\n")
		}
		mach.reported = nil
		return b.String()
	default:
		t.Fatalf("unknown step %q", line)
	}
	return string(m.Take())
}

// feed types bytes at the monitor, runs the commands they enter, and returns
// what appears. It stops when the monitor takes no more.
func feed(m *Monitor[noYield], p []byte) string {
	var screen strings.Builder
	for {
		n, inv := m.Feed(p)
		p = p[n:]
		if inv != nil {
			inv.RunCo(noYield{})
		}
		out := m.Take()
		screen.Write(out)
		if len(p) == 0 || n == 0 && len(out) == 0 {
			return screen.String()
		}
	}
}
