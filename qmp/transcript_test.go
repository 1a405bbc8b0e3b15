package qmp_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
	"github.com/backplane-vm/backplane/qmp/qmptest"
)

// recordings is where conversations with a real QEMU 10.0 lie. They are not
// part of the module; testdata holds a few that are small.
const recordings = "../../shared/reference/qmp-transcripts-10.0"

// replay plays the client's side of a recording against a session and
// compares what comes back, byte by byte. chunk is how many bytes are fed at
// once, 0 for each step whole.
func replay(t *testing.T, path string, chunk int) {
	t.Helper()
	transcript, err := qmptest.ReadTranscript(path)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	var machine recordedMachine
	s := qmptest.NewServer(recordedCommands(t, &machine), recordedConfig())
	s.Open()
	for i, step := range transcript.Steps {
		switch step.Dir {
		case qmptest.Out:
			want = append(want, string(step.Raw))
		case qmptest.In:
			if i+1 < len(transcript.Steps) {
				machine.answer = transcript.Steps[i+1].Raw
			}
			receive(s, step.Raw, chunk)
		}
	}
	got := strings.Split(strings.TrimSuffix(s.Out.String(), "\r\n"), "\r\n")
	for i := range max(len(got), len(want)) {
		if g, w := at(got, i), at(want, i); g != w {
			t.Fatalf("line %d of %d (have %d)\n got %.300s\nwant %.300s", i+1, len(want), len(got), g, w)
		}
	}
}

// receive feeds p in pieces of size chunk, or whole if that is 0.
func receive(s *qmptest.Server, p []byte, chunk int) {
	if chunk == 0 {
		chunk = max(1, len(p))
	}
	for piece := range slices.Chunk(p, chunk) {
		s.Receive(piece)
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
	local := recordedPaths(t, "testdata/transcripts")
	if len(local) == 0 {
		t.Fatal("testdata/transcripts is gone")
	}
	for _, path := range append(local, recordedPaths(t, recordings)...) {
		name := filepath.Base(path)
		if name == "oob-overtakes.jsonl" {
			continue // its order depends on how long query-qmp-schema takes
		}
		t.Run(strings.TrimSuffix(name, ".jsonl"), func(t *testing.T) {
			t.Parallel()
			replay(t, path, 0)
			replay(t, path, 1)
			replay(t, path, 7)
		})
	}
}

// recordedPaths returns the recordings in dir that are about the protocol and
// not about a machine. There may be none.
func recordedPaths(t testing.TB, dir string) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"json-*", "bytes-*", "malformed-*", "negotiate-*", "id-*", "error-*", "oob-*", "command-before-*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern+".jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	return paths
}

// recordedConfig is what the recorded QEMU said of itself.
func recordedConfig() qmp.Config {
	return qmp.Config{
		OOB: true,
		Greeting: qmp.Greeting(qmp.Version{Major: 10, Minor: 0, Micro: 2,
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
func recordedCommands(t testing.TB, machine *recordedMachine) *qmp.Registry[qmp.NoYield] {
	reg := qmp.NewRegistry[qmp.NoYield]()
	add := func(name string, options qmp.Options, run func(*qobject.Dict) (any, error)) {
		err := reg.Add(qmp.Command[qmp.NoYield]{Name: name, Options: options,
			Run: func(_ *qmp.Call, args *qobject.Dict) (any, error) { return run(args) }})
		if err != nil {
			t.Fatal(err)
		}
	}
	add("query-status", 0, noArguments(qobject.Members("status", "prelaunch", "running", false)))
	add("query-yank", qmp.AllowOOB, noArguments([]any{}))
	for _, name := range []string{"device_del", "qom-get", "blockdev-add", "human-monitor-command",
		"query-acpi-ospm-status", "query-vm-generation-id"} {
		add(name, 0, machine.run)
	}
	for _, name := range []string{"migrate-pause", "migrate-recover", "yank"} {
		add(name, qmp.AllowOOB, machine.run)
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
