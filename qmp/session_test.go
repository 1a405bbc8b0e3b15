package qmp_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
	"github.com/backplane-vm/backplane/qmp/qmptest"
)

// say asks one thing after the other and returns what came back to the last.
func say(s *qmptest.Server, lines ...string) (reply string) {
	for _, line := range lines {
		reply = s.Ask(line)
	}
	return reply
}

const (
	plain   = `{"execute": "qmp_capabilities"}`
	withOOB = `{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}`
)

// commands is a registry with one command of each sort.
func commands(t testing.TB) *qmp.Registry[qmp.NoYield] {
	reg := qmp.NewRegistry[qmp.NoYield]()
	for _, c := range []qmp.Command[qmp.NoYield]{
		{Name: "none", Run: func(*qmp.Call, *qobject.Dict) (any, error) { return nil, nil }},
		{Name: "null", Run: func(*qmp.Call, *qobject.Dict) (any, error) { return qmp.Null, nil }},
		{Name: "echo", Run: func(_ *qmp.Call, args *qobject.Dict) (any, error) { return args, nil }},
		{Name: "plain-error", Run: func(*qmp.Call, *qobject.Dict) (any, error) { return nil, errors.New("no luck") }},
		{Name: "class-error", Run: func(*qmp.Call, *qobject.Dict) (any, error) {
			return nil, qerr.Newc(qerr.DeviceNotFound, "Device 'x' not found")
		}},
		{Name: "silent", Options: qmp.NoSuccessResponse, Run: func(_ *qmp.Call, args *qobject.Dict) (any, error) {
			if args.Has("fail") {
				return nil, qerr.New("failed")
			}
			return nil, nil
		}},
		{Name: "oob", Options: qmp.AllowOOB, Run: func(call *qmp.Call, _ *qobject.Dict) (any, error) { return call.OOB, nil }},
		{Name: "early", Options: qmp.AllowPreconfig, Run: func(*qmp.Call, *qobject.Dict) (any, error) { return nil, nil }},
		{Name: "old", Options: qmp.Deprecated, Run: func(*qmp.Call, *qobject.Dict) (any, error) { return nil, nil }},
		{Name: "x-new", Options: qmp.Unstable, Run: func(*qmp.Call, *qobject.Dict) (any, error) { return nil, nil }},
		{Name: "who", Run: func(call *qmp.Call, _ *qobject.Dict) (any, error) { return call.Monitor, call.Ctx.Err() }},
	} {
		if err := reg.Add(c); err != nil {
			t.Fatal(err)
		}
	}
	return reg
}

func failed(class qerr.Class, desc string) string {
	return `{"error": {"class": "` + string(class) + `", "desc": "` + desc + `"}}` + "\r\n"
}

func TestReplies(t *testing.T) {
	const generic, notFound = qerr.GenericError, qerr.CommandNotFound
	tests := []struct{ in, want string }{
		{`{"execute": "none"}`, "{\"return\": {}}\r\n"},
		{`{"execute": "null", "id": null}`, "{\"return\": null, \"id\": null}\r\n"},
		{`{"execute": "echo", "arguments": {"b": "é", "a": [1]}}`, "{\"return\": {\"a\": [1], \"b\": \"\\u00E9\"}}\r\n"},
		{`{"execute": "echo"}`, "{\"return\": {}}\r\n"},
		{`{"execute": "plain-error"}`, failed(generic, "no luck")},
		{`{"execute": "class-error"}`, failed(qerr.DeviceNotFound, "Device 'x' not found")},
		{`{"execute": "silent"}`, ""},
		{`{"execute": "silent", "arguments": {"fail": 1}}`, failed(generic, "failed")},
		{`{"execute": "oob"}`, "{\"return\": false}\r\n"},
		{`{"exec-oob": "oob"}`, "{\"return\": true}\r\n"},
		{`{"exec-oob": "none"}`, failed(generic, "The command none does not support OOB")},
		{`{"exec-oob": 1}`, failed(generic, "QMP input member 'exec-oob' must be a string")},
		{`{"execute": "none", "exec-oob": "oob"}`, failed(generic, "QMP input member 'execute' clashes with 'exec-oob'")},
		{`{"execute": "nonesuch"}`, failed(notFound, "The command nonesuch has not been found")},
		{`{"execute": "who"}`, "{\"return\": \"monitor\"}\r\n"},
		{`[]`, failed(generic, "QMP input must be a JSON object")},
		{`nope `, failed(generic, "JSON parse error, invalid keyword 'nope'")},
	}
	config := recordedConfig()
	config.Monitor = "monitor"
	for _, test := range tests {
		s := qmptest.NewServer(commands(t), config)
		if got := say(s, withOOB, test.in); got != test.want {
			t.Errorf("%s: got %q, want %q", test.in, got, test.want)
		}
	}
}

func TestCapabilities(t *testing.T) {
	const generic, notFound = qerr.GenericError, qerr.CommandNotFound
	tests := []struct {
		name    string
		offered bool
		lines   []string
		want    string
	}{
		{"nothing before", true, []string{`{"execute": "none"}`}, failed(notFound, "Expecting capabilities negotiation with 'qmp_capabilities'")},
		{"not offered", false, []string{withOOB}, failed(generic, "Capability oob not available")},
		{"not offered, twice", false, []string{`{"execute": "qmp_capabilities", "arguments": {"enable": ["oob", "oob"]}}`},
			failed(generic, "Capability oob, oob not available")},
		{"unknown", true, []string{`{"execute": "qmp_capabilities", "arguments": {"enable": ["zz"]}}`},
			failed(generic, "Parameter 'null' does not accept value 'zz'")},
		{"refused does not count", true, []string{`{"execute": "qmp_capabilities", "arguments": {"enable": ["zz"]}}`, `{"execute": "none"}`},
			failed(notFound, "Expecting capabilities negotiation with 'qmp_capabilities'")},
		{"twice", true, []string{plain, withOOB}, failed(notFound, "Capabilities negotiation is already complete, command ignored")},
		{"twice changes nothing", true, []string{plain, withOOB, `{"exec-oob": "oob"}`},
			failed(generic, "QMP input member 'exec-oob' is unexpected")},
		{"oob at once after it", true, []string{withOOB + `{"exec-oob": "oob"}`}, "{\"return\": {}}\r\n{\"return\": true}\r\n"},
	}
	for _, test := range tests {
		config := recordedConfig()
		config.OOB = test.offered
		config.Greeting = qmp.Greeting(qmp.Version{}, test.offered)
		s := qmptest.NewServer(commands(t), config)
		if got := say(s, test.lines...); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestGuestAgent has no greeting, no negotiation, and plain line ends.
func TestGuestAgent(t *testing.T) {
	s := qmptest.NewServer(commands(t), qmp.Config{LineEnd: "\n"})
	s.Open()
	if s.Out.Len() != 0 {
		t.Errorf("greets with %q", s.Out.String())
	}
	if got, want := say(s, `{"execute": "none"}`), "{\"return\": {}}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want := `{"error": {"class": "CommandNotFound", "desc": "The command qmp_capabilities has not been found"}}` + "\n"
	if got := say(s, plain); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPretty(t *testing.T) {
	config := recordedConfig()
	config.Pretty = true
	s := qmptest.NewServer(commands(t), config)
	got := say(s, plain, `{"execute": "echo", "arguments": {"a": [1]}, "id": 2}`)
	want := strings.ReplaceAll(`{
    "return": {
        "a": [
            1
        ]
    },
    "id": 2
}
`, "\n", "\r\n")
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestHandMadeOrder checks that replies put together by hand are what the
// encoder makes of the same members.
func TestHandMadeOrder(t *testing.T) {
	for _, name := range []string{"null", "plain-error"} {
		s := qmptest.NewServer(commands(t), qmp.Config{})
		line := s.Ask(`{"execute": "` + name + `", "id": "x"}`)
		v, err := qobject.ParseJSON(line)
		if err != nil {
			t.Fatal(err)
		}
		if want := qobject.Encode(v) + "\r\n"; line != want {
			t.Errorf("got %q, want %q", line, want)
		}
	}
}

func TestEvents(t *testing.T) {
	s := qmptest.NewServer(commands(t), recordedConfig())
	ev := qmp.Event{Name: "RESET", Data: qobject.Members("guest", false, "reason", "host-qmp-system-reset")}
	at := qmp.Timestamp{Seconds: 1700000000, Microseconds: 5}
	if got := s.Session.AppendEvent(nil, ev, at); got != nil {
		t.Errorf("before negotiation: %q", got)
	}
	say(s, plain)
	want := `{"timestamp": {"seconds": 1700000000, "microseconds": 5}, "event": "RESET", "data": {"guest": false, "reason": "host-qmp-system-reset"}}` + "\r\n"
	if got := string(s.Session.AppendEvent(nil, ev, at)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want = `{"timestamp": {"seconds": -1, "microseconds": -1}, "event": "STOP"}` + "\r\n"
	if got := string(s.Session.AppendEvent(nil, qmp.Event{Name: "STOP"}, qmp.Timestamp{-1, -1})); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestReconnect: what one client left behind does not reach the next.
func TestReconnect(t *testing.T) {
	s := qmptest.NewServer(commands(t), recordedConfig())
	say(s, withOOB, `{"execute": "none", "id": [1, "`)
	if !s.Session.Negotiated() || !s.Session.OOBEnabled() {
		t.Fatal("negotiation did not take")
	}
	s.Session.Closed()
	if s.Session.Negotiated() || s.Session.OOBEnabled() {
		t.Error("a disconnected session remembers its client")
	}
	s.Out.Reset()
	s.Open()
	if got := s.Out.String(); !strings.HasPrefix(got, `{"QMP": `) || !strings.HasSuffix(got, "}\r\n") {
		t.Errorf("greeting %q", got)
	}
	if got, want := say(s, plain), "{\"return\": {}}\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestDeadlines: the member x-deadline-ms is there for owners that ask for it.
func TestDeadlines(t *testing.T) {
	for _, test := range []struct {
		on           bool
		member, want string // of a reply's beginning
		after        time.Duration
		says         bool
	}{
		{true, `1500`, `{"return"`, 1500 * time.Millisecond, true},
		{true, `0`, `{"return"`, 0, true},
		{true, `9223372036854775807`, `{"return"`, (1 << 32) * time.Millisecond, true},
		{true, `-1`, `{"error": {"class": "GenericError", "desc": "QMP input member 'x-deadline-ms' must be a number of milliseconds"`, 0, false},
		{true, `"1"`, `{"error": {"class": "GenericError", "desc": "QMP input member 'x-deadline-ms' must be a number of milliseconds"`, 0, false},
		{false, `1`, `{"error": {"class": "GenericError", "desc": "QMP input member 'x-deadline-ms' is unexpected"`, time.Millisecond, true},
	} {
		s := qmp.NewSession(commands(t), qmp.Config{Deadlines: test.on})
		s.Feed([]byte(`{"execute": "none", "x-deadline-ms": `+test.member+`}`), func(r qmp.Request) bool {
			if after, ok := r.Deadline(); ok != test.says || ok && after != test.after {
				t.Errorf("%s: a deadline of %v, %v", test.member, after, ok)
			}
			if got := string(s.Prepare(t.Context(), r).Dispatch(nil)); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s: got %s", test.member, got)
			}
			inv := s.Prepare(t.Context(), r)
			inv.Refuse(qerr.New("not wanted"))
			if got := string(inv.Dispatch(nil)); got != failed(qerr.GenericError, "not wanted") {
				t.Errorf("refused: %s", got)
			}
			return true
		})
	}
}

// FuzzSession: whatever comes in, nothing panics, each request has exactly one
// reply, each reply is one line, and the cuts between pieces do not matter: they
// only decide what out-of-band commands overtake.
func FuzzSession(f *testing.F) {
	for _, path := range recordedPaths(f, "testdata/transcripts") {
		transcript, err := qmptest.ReadTranscript(path)
		if err != nil {
			f.Fatal(err)
		}
		var said []byte
		for _, step := range transcript.Steps {
			if step.Dir == qmptest.In {
				said = append(said, step.Raw...)
			}
		}
		f.Add(said, uint8(len(said)))
	}
	f.Add([]byte(withOOB+`{"exec-oob":"query-yank"}{"execute":"nope"}[{]}`), uint8(9))
	f.Add([]byte(`{"execute":1}{"exec-oob":[]}{"a":1}{"execute":"`+"\xff"+`","arguments":0}`), uint8(5))
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8) {
		whole := qmptest.NewServer(commands(t), recordedConfig())
		whole.Receive(data)
		out := whole.Out.Bytes()
		if lines := bytes.Count(out, []byte("\r\n")); lines != whole.Answered-whole.Silent {
			t.Fatalf("%d requests of which %d are silent, %d lines:\n%s", whole.Answered, whole.Silent, lines, out)
		}
		for _, b := range out {
			if b >= 0x7F || b < ' ' && b != '\r' && b != '\n' {
				t.Fatalf("byte %#x is sent", b)
			}
		}
		pieces := qmptest.NewServer(commands(t), recordedConfig())
		receive(pieces, data, 1+int(chunk))
		if !slices.Equal(sortedLines(out), sortedLines(pieces.Out.Bytes())) {
			t.Fatalf("whole\n%s\nin pieces\n%s", out, &pieces.Out)
		}
	})
}

func sortedLines(text []byte) []string {
	return slices.Sorted(strings.SplitSeq(string(text), "\r\n"))
}
