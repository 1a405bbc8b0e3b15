package qmp_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

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

func TestAdmission(t *testing.T) {
	const notFound = qerr.CommandNotFound
	reg := commands(t)
	s := qmptest.NewServer(reg, recordedConfig())
	say(s, plain)
	check := func(name, want string) {
		t.Helper()
		if want == "" {
			want = "{\"return\": {}}\r\n"
		}
		if got := say(s, `{"execute": "`+name+`"}`); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	reg.Disable("none", "")
	check("none", failed(notFound, "Command none has been disabled"))
	reg.Disable("none", "the command is not allowed")
	check("none", failed(notFound, "Command none has been disabled: the command is not allowed"))
	reg.Disable("nonesuch", "no such command")
	reg.Enable("none")
	check("none", "")

	reg.SetPreconfig(true)
	check("none", failed(qerr.GenericError, "The command 'none' is permitted only after machine initialization has completed"))
	check("early", "")
	reg.SetPreconfig(false)

	check("old", "")
	reg.SetPolicy(qmp.Policy{RejectDeprecated: true, RejectUnstable: true})
	check("old", failed(notFound, "Deprecated command old disabled by policy"))
	check("x-new", failed(notFound, "Unstable command x-new disabled by policy"))
	check("none", "")
}

func TestRegistryRefuses(t *testing.T) {
	run := func(*qmp.Call, *qobject.Dict) (any, error) { return nil, nil }
	runCo := func(qmp.NoYield, *qmp.Call, *qobject.Dict) (any, error) { return nil, nil }
	for _, test := range []struct {
		command qmp.Command[qmp.NoYield]
		want    string
	}{
		{qmp.Command[qmp.NoYield]{Run: run}, "without a name"},
		{qmp.Command[qmp.NoYield]{Name: "a"}, "do not match"},
		{qmp.Command[qmp.NoYield]{Name: "a", Run: run, RunCo: runCo}, "do not match"},
		{qmp.Command[qmp.NoYield]{Name: "a", RunCo: runCo}, "do not match"},
		{qmp.Command[qmp.NoYield]{Name: "a", Options: qmp.Coroutine, Run: run}, "do not match"},
		{qmp.Command[qmp.NoYield]{Name: "a", Options: qmp.Coroutine | qmp.AllowOOB, RunCo: runCo}, "both a coroutine and out of band"},
		{qmp.Command[qmp.NoYield]{Name: "taken", Run: run}, "registered twice"},
	} {
		reg := qmp.NewRegistry[qmp.NoYield]()
		if err := reg.Add(qmp.Command[qmp.NoYield]{Name: "taken", Run: run}); err != nil {
			t.Fatal(err)
		}
		if err := reg.Add(test.command); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want …%s…", test.command, err, test.want)
		}
		if names := reg.Names(); len(names) != 1 || reg.Lookup("taken") == nil || reg.Lookup("a") != nil {
			t.Errorf("the registry holds %v", names)
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

// yielder is a Y that counts.
type yielder struct{ yields int }

func TestCoroutineCommands(t *testing.T) {
	reg := qmp.NewRegistry[*yielder]()
	err := reg.Add(qmp.Command[*yielder]{Name: "wait", Options: qmp.Coroutine,
		RunCo: func(y *yielder, call *qmp.Call, _ *qobject.Dict) (any, error) {
			y.yields++
			return call.ID, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	s := qmp.NewSession(reg, qmp.Config{})
	prepare := func(text string) (inv *qmp.Invocation[*yielder]) {
		s.Feed([]byte(text), func(r qmp.Request) bool {
			inv = s.Prepare(context.Background(), r)
			return true
		})
		return inv
	}
	inv := prepare(`{"execute": "wait", "id": "i"}`)
	if !inv.Coroutine() || inv.Name() != "wait" {
		t.Fatalf("coroutine %v, name %q", inv.Coroutine(), inv.Name())
	}
	y := &yielder{}
	if got, want := string(inv.DispatchCo(y, nil)), "{\"return\": \"i\", \"id\": \"i\"}\r\n"; got != want || y.yields != 1 {
		t.Errorf("got %q and %d yields, want %q", got, y.yields, want)
	}
	mustPanic(t, "dispatched without a coroutine", func() { prepare(`{"execute": "wait"}`).Dispatch(nil) })
	mustPanic(t, "dispatched as a coroutine", func() { prepare(`{"execute": "no"}`).DispatchCo(y, nil) })
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		if r, _ := recover().(string); !strings.Contains(r, want) {
			t.Errorf("recovered %q, want …%s…", r, want)
		}
	}()
	f()
}

// TestBacklog follows what was observed of QEMU.
func TestBacklog(t *testing.T) {
	t.Run("without oob one at a time", func(t *testing.T) {
		var b qmp.Backlog
		if !b.Push(false) || b.Pop() || !b.Stopped() || !b.Answered() || b.Stopped() {
			t.Error("the reader does not wait for the answer")
		}
	})
	t.Run("with oob eight wait", func(t *testing.T) {
		var b qmp.Backlog
		b.Push(true)
		b.Pop() // one in work
		for i := range qmp.MaxQueue {
			if stop := b.Push(true); stop != (i == qmp.MaxQueue-1) {
				t.Errorf("request %d behind the one in work: stop is %v", i+1, stop)
			}
		}
		if b.Waiting() != qmp.MaxQueue || b.Answered() || !b.Pop() {
			t.Error("the reader does not go on when one is taken")
		}
	})
	t.Run("the mode may change in between", func(t *testing.T) {
		var b qmp.Backlog
		b.Push(false) // qmp_capabilities, which switches oob on
		if b.Pop() || !b.Answered() || b.Push(true) {
			t.Error("the answer to qmp_capabilities does not let reading go on")
		}
	})
	t.Run("disconnect with requests waiting", func(t *testing.T) {
		var b qmp.Backlog
		b.Push(false)
		if !b.Clear() || b.Stopped() {
			t.Error("still stopped")
		}
	})
	t.Run("disconnect with one in work", func(t *testing.T) {
		var b qmp.Backlog
		b.Push(false)
		b.Pop()
		if b.Clear() || !b.Answered() {
			t.Error("the next client is read before the command is done")
		}
	})
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

// dispatchOne returns a function that takes a small command from its bytes to
// its reply, and returns that.
func dispatchOne(t testing.TB) func() string {
	s := qmp.NewSession(commands(t), qmp.Config{})
	line := []byte(`{"execute": "none", "id": "libvirt-17"}` + "\n")
	out := make([]byte, 0, 256)
	ctx := context.Background()
	run := func(r qmp.Request) bool {
		out = s.Prepare(ctx, r).Dispatch(out[:0])
		return true
	}
	return func() string {
		s.Feed(line, run)
		return string(out)
	}
}

const dispatchedOne = "{\"return\": {}, \"id\": \"libvirt-17\"}\r\n"

// TestDispatchAllocations keeps the hot path lean: what it makes is the
// request's values, the invocation, and the string the test compares.
func TestDispatchAllocations(t *testing.T) {
	dispatch := dispatchOne(t)
	if got := dispatch(); got != dispatchedOne {
		t.Fatalf("got %q", got)
	}
	if n := testing.AllocsPerRun(100, func() { dispatch() }); n > 10 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDispatch(b *testing.B) {
	dispatch := dispatchOne(b)
	b.ReportAllocs()
	for b.Loop() {
		if got := dispatch(); got != dispatchedOne {
			b.Fatalf("got %q", got)
		}
	}
}
