package qmp

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// recordings is where conversations with a real QEMU 10.0 lie. They are not
// part of the module; testdata holds a few that are small.
const recordings = "../../shared/reference/qmp-transcripts-10.0"

// A step is one line of a recorded conversation.
type step struct {
	dir string // "in", "out", or something that is not ours to replay
	raw []byte
}

// readTranscript reads the lines of a recording. Its "msg" members repeat the
// raw text and are skipped, for some of them nest deeper than decoders go.
func readTranscript(t *testing.T, path string) []step {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var steps []step
	for line := range bytes.Lines(text) {
		steps = append(steps, readStep(t, line))
	}
	return steps
}

func readStep(t *testing.T, line []byte) step {
	t.Helper()
	text := func(name string) string {
		_, rest, found := bytes.Cut(line, []byte(`"`+name+`": "`))
		if !found {
			return ""
		}
		var s string
		if err := json.NewDecoder(bytes.NewReader(append([]byte{'"'}, rest...))).Decode(&s); err != nil {
			t.Fatalf("%.100s: %v", line, err)
		}
		return s
	}
	s := step{dir: text("dir"), raw: []byte(text("raw"))}
	if h := text("hex"); h != "" {
		b, err := hex.DecodeString(h)
		if err != nil {
			t.Fatalf("%.100s: %v", line, err)
		}
		s.raw = b
	}
	return s
}

// replay plays the client's side of a recording against a session and
// compares what comes back, byte by byte. chunk is how many bytes are fed at
// once, 0 for each step whole.
func replay(t *testing.T, path string, chunk int) {
	t.Helper()
	var want, got []string
	steps := readTranscript(t, path)
	for _, s := range steps {
		if s.dir == "out" {
			want = append(want, string(s.raw))
		}
	}
	var machine recordedMachine
	m := newMonitor(t, recordedConfig(), recordedCommands(t, &machine))
	m.open()
	for i, s := range steps {
		if s.dir != "in" {
			continue
		}
		if i+1 < len(steps) {
			machine.answer = steps[i+1].raw
		}
		size := chunk
		if size == 0 {
			size = len(s.raw)
		}
		for p := s.raw; len(p) > 0; p = p[min(size, len(p)):] {
			m.write(p[:min(size, len(p))])
		}
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(m.out.String(), "\r\n"), "\r\n") {
		got = append(got, line)
	}
	for i := range max(len(got), len(want)) {
		g, w := at(got, i), at(want, i)
		if g != w {
			t.Fatalf("line %d of %d (have %d)\n got %.300s\nwant %.300s", i+1, len(want), len(got), g, w)
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing)"
}

// TestTranscripts replays the recordings that need no machine.
func TestTranscripts(t *testing.T) {
	var paths []string
	for _, dir := range []string{recordings, "testdata/transcripts"} {
		for _, pattern := range []string{"json-*", "bytes-*", "malformed-*", "negotiate-*", "id-*", "error-*", "oob-*", "command-before-*"} {
			found, err := filepath.Glob(filepath.Join(dir, pattern+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, found...)
		}
	}
	if len(paths) == 0 {
		t.Fatal("no transcripts found, not even in testdata")
	}
	for _, path := range paths {
		if filepath.Base(path) == "oob-overtakes.jsonl" {
			continue // its order depends on how long query-qmp-schema takes
		}
		t.Run(strings.TrimSuffix(filepath.Base(path), ".jsonl"), func(t *testing.T) {
			t.Parallel()
			replay(t, path, 0)
			replay(t, path, 1)
			replay(t, path, 7)
		})
	}
}

func recordedConfig() Config {
	return Config{
		OOB: true,
		Greeting: Greeting(Version{Major: 10, Minor: 0, Micro: 2,
			Package: "Debian 1:10.0.2+ds-2+deb13u1~bpo12+1"}, true),
	}
}

// A recordedMachine stands in for the commands that need a machine: it gives
// the answer recorded next.
type recordedMachine struct{ answer []byte }

func (m *recordedMachine) run(*qobject.Dict) (any, error) {
	v, err := qobject.ParseJSON(string(m.answer))
	if err != nil {
		return nil, err
	}
	reply := v.(*qobject.Dict)
	if e, ok := reply.Get("error"); ok {
		class, _ := e.(*qobject.Dict).Get("class")
		desc, _ := e.(*qobject.Dict).Get("desc")
		return nil, qerr.Newc(qerr.Class(class.(string)), "%s", desc)
	}
	result, _ := reply.Get("return")
	return result, nil
}

// recordedCommands answers the commands in the recordings as that QEMU did.
func recordedCommands(t testing.TB, machine *recordedMachine) *Registry[NoYield] {
	reg := NewRegistry[NoYield]()
	add := func(name string, options Options, run func(*qobject.Dict) (any, error)) {
		err := reg.Add(Command[NoYield]{Name: name, Options: options,
			Run: func(_ *Call, args *qobject.Dict) (any, error) { return run(args) }})
		if err != nil {
			t.Fatal(err)
		}
	}
	add("query-status", 0, noArguments(qobject.Members("status", "prelaunch", "running", false)))
	add("query-yank", AllowOOB, noArguments([]any{}))
	for _, name := range []string{"device_del", "qom-get", "blockdev-add", "human-monitor-command",
		"query-acpi-ospm-status", "query-vm-generation-id"} {
		add(name, 0, machine.run)
	}
	for _, name := range []string{"migrate-pause", "migrate-recover", "yank"} {
		add(name, AllowOOB, machine.run)
	}
	return reg
}

func noArguments(result any) func(*qobject.Dict) (any, error) {
	return func(args *qobject.Dict) (any, error) {
		for key := range args.Wire() {
			return nil, qerr.New("Parameter '%s' is unexpected", key)
		}
		return result, nil
	}
}

// A monitor drives a session as internal/monitor does, but in one goroutine:
// what cannot be run yet waits, and so does what cannot be read yet.
type monitor struct {
	session *Session[NoYield]
	backlog Backlog
	queue   []Request
	out     bytes.Buffer
	replies int // how many requests were answered,
	silent  int // and how many of the answers are to say nothing
}

func newMonitor(t testing.TB, config Config, reg *Registry[NoYield]) *monitor {
	t.Helper()
	return &monitor{session: NewSession(reg, config)}
}

func (m *monitor) open() { m.out.Write(m.session.Opened(nil)) }

// write reads p to its end, running what is queued whenever reading stops.
func (m *monitor) write(p []byte) {
	for len(p) > 0 {
		n := m.session.Feed(p, func(r Request) bool {
			if r.OOB {
				m.run(r)
				return true
			}
			m.queue = append(m.queue, r)
			return !m.backlog.Push(m.session.OOBEnabled())
		})
		p = p[n:]
		for len(m.queue) > 0 {
			r := m.queue[0]
			m.queue = m.queue[1:]
			m.backlog.Pop()
			m.run(r)
			m.backlog.Answered()
		}
	}
}

func (m *monitor) run(r Request) {
	inv := m.session.Prepare(context.Background(), r)
	reply := inv.Dispatch(nil)
	m.out.Write(reply)
	m.replies++
	if len(reply) == 0 && inv.Name() == "silent" {
		m.silent++
	}
}
