package qmp

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// say opens a session, writes each line and returns what came back to the
// last one.
func say(t *testing.T, m *monitor, lines ...string) string {
	t.Helper()
	for _, line := range lines {
		m.out.Reset()
		m.write([]byte(line))
	}
	return m.out.String()
}

const (
	plain   = `{"execute": "qmp_capabilities"}`
	withOOB = `{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}`
)

// commands is a registry with one command of each sort.
func commands(t testing.TB) *Registry[NoYield] {
	reg := NewRegistry[NoYield]()
	for _, c := range []Command[NoYield]{
		{Name: "none", Run: func(*Call, *qobject.Dict) (any, error) { return nil, nil }},
		{Name: "null", Run: func(*Call, *qobject.Dict) (any, error) { return Null, nil }},
		{Name: "echo", Run: func(_ *Call, args *qobject.Dict) (any, error) { return args, nil }},
		{Name: "plain-error", Run: func(*Call, *qobject.Dict) (any, error) { return nil, errors.New("no luck") }},
		{Name: "class-error", Run: func(*Call, *qobject.Dict) (any, error) {
			return nil, qerr.Newc(qerr.DeviceNotFound, "Device 'x' not found")
		}},
		{Name: "silent", Options: NoSuccessResponse, Run: func(_ *Call, args *qobject.Dict) (any, error) {
			if args.Has("fail") {
				return nil, qerr.New("failed")
			}
			return nil, nil
		}},
		{Name: "oob", Options: AllowOOB, Run: func(call *Call, _ *qobject.Dict) (any, error) { return call.OOB, nil }},
		{Name: "early", Options: AllowPreconfig, Run: func(*Call, *qobject.Dict) (any, error) { return nil, nil }},
		{Name: "old", Options: Deprecated, Run: func(*Call, *qobject.Dict) (any, error) { return nil, nil }},
		{Name: "x-new", Options: Unstable, Run: func(*Call, *qobject.Dict) (any, error) { return nil, nil }},
		{Name: "who", Run: func(call *Call, _ *qobject.Dict) (any, error) { return call.Monitor, call.Ctx.Err() }},
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
		m := newMonitor(t, config, commands(t))
		if got := say(t, m, withOOB, test.in); got != test.want {
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
		config.Greeting = Greeting(Version{}, test.offered)
		m := newMonitor(t, config, commands(t))
		if got := say(t, m, test.lines...); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestAdmission(t *testing.T) {
	const notFound = qerr.CommandNotFound
	reg := commands(t)
	m := newMonitor(t, recordedConfig(), reg)
	say(t, m, plain)
	check := func(name, want string) {
		t.Helper()
		if want == "" {
			want = "{\"return\": {}}\r\n"
		}
		if got := say(t, m, `{"execute": "`+name+`"}`); got != want {
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
	reg.SetPolicy(Policy{RejectDeprecated: true, RejectUnstable: true})
	check("old", failed(notFound, "Deprecated command old disabled by policy"))
	check("x-new", failed(notFound, "Unstable command x-new disabled by policy"))
	check("none", "")
}

func TestRegistryRefuses(t *testing.T) {
	run := func(*Call, *qobject.Dict) (any, error) { return nil, nil }
	runCo := func(NoYield, *Call, *qobject.Dict) (any, error) { return nil, nil }
	for _, test := range []struct {
		command Command[NoYield]
		want    string
	}{
		{Command[NoYield]{Run: run}, "without a name"},
		{Command[NoYield]{Name: "a"}, "do not match"},
		{Command[NoYield]{Name: "a", Run: run, RunCo: runCo}, "do not match"},
		{Command[NoYield]{Name: "a", RunCo: runCo}, "do not match"},
		{Command[NoYield]{Name: "a", Options: Coroutine, Run: run}, "do not match"},
		{Command[NoYield]{Name: "a", Options: Coroutine | AllowOOB, RunCo: runCo}, "both a coroutine and out of band"},
		{Command[NoYield]{Name: "taken", Run: run}, "registered twice"},
	} {
		reg := NewRegistry[NoYield]()
		if err := reg.Add(Command[NoYield]{Name: "taken", Run: run}); err != nil {
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
	m := newMonitor(t, Config{LineEnd: "\n"}, commands(t))
	m.open()
	if m.out.Len() != 0 {
		t.Errorf("greets with %q", m.out.String())
	}
	if got, want := say(t, m, `{"execute": "none"}`), "{\"return\": {}}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want := `{"error": {"class": "CommandNotFound", "desc": "The command qmp_capabilities has not been found"}}` + "\n"
	if got := say(t, m, plain); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPretty(t *testing.T) {
	config := recordedConfig()
	config.Pretty = true
	m := newMonitor(t, config, commands(t))
	got := say(t, m, plain, `{"execute": "echo", "arguments": {"a": [1]}, "id": 2}`)
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
	for _, key := range []string{"return", "error"} {
		inv := &Invocation[NoYield]{session: NewSession(commands(t), Config{})}
		inv.call.ID, inv.call.HasID = "x", true
		got := string(inv.appendMessage(nil, key, "v"))
		if want := qobject.Encode(qobject.Members(key, "v", "id", "x")) + "\r\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEvents(t *testing.T) {
	m := newMonitor(t, recordedConfig(), commands(t))
	ev := Event{Name: "RESET", Data: qobject.Members("guest", false, "reason", "host-qmp-system-reset")}
	at := Timestamp{Seconds: 1700000000, Microseconds: 5}
	if got := m.session.AppendEvent(nil, ev, at); got != nil {
		t.Errorf("before negotiation: %q", got)
	}
	say(t, m, plain)
	want := `{"timestamp": {"seconds": 1700000000, "microseconds": 5}, "event": "RESET", "data": {"guest": false, "reason": "host-qmp-system-reset"}}` + "\r\n"
	if got := string(m.session.AppendEvent(nil, ev, at)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want = `{"timestamp": {"seconds": -1, "microseconds": -1}, "event": "STOP"}` + "\r\n"
	if got := string(m.session.AppendEvent(nil, Event{Name: "STOP"}, Timestamp{-1, -1})); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestReconnect: what one client left behind does not reach the next.
func TestReconnect(t *testing.T) {
	m := newMonitor(t, recordedConfig(), commands(t))
	say(t, m, withOOB, `{"execute": "none", "id": [1, "`)
	if !m.session.Negotiated() || !m.session.OOBEnabled() {
		t.Fatal("negotiation did not take")
	}
	m.session.Closed()
	if m.session.Negotiated() || m.session.OOBEnabled() {
		t.Error("a disconnected session remembers its client")
	}
	m.out.Reset()
	m.open()
	if got := m.out.String(); !strings.HasPrefix(got, `{"QMP": `) || !strings.HasSuffix(got, "}\r\n") {
		t.Errorf("greeting %q", got)
	}
	if got, want := say(t, m, plain), "{\"return\": {}}\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// yielder is a Y that counts.
type yielder struct{ yields int }

func TestCoroutineCommands(t *testing.T) {
	reg := NewRegistry[*yielder]()
	err := reg.Add(Command[*yielder]{Name: "wait", Options: Coroutine,
		RunCo: func(y *yielder, call *Call, _ *qobject.Dict) (any, error) {
			y.yields++
			return call.ID, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	s := NewSession(reg, Config{})
	prepare := func(text string) (inv *Invocation[*yielder]) {
		s.Feed([]byte(text), func(r Request) bool {
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
		var b Backlog
		if !b.Push(false) || b.Pop() || !b.Stopped() || !b.Answered() || b.Stopped() {
			t.Error("the reader does not wait for the answer")
		}
	})
	t.Run("with oob eight wait", func(t *testing.T) {
		var b Backlog
		b.Push(true)
		b.Pop() // one in work
		for i := range MaxQueue {
			if stop := b.Push(true); stop != (i == MaxQueue-1) {
				t.Errorf("request %d behind the one in work: stop is %v", i+1, stop)
			}
		}
		if b.Waiting() != MaxQueue || b.Answered() || !b.Pop() {
			t.Error("the reader does not go on when one is taken")
		}
	})
	t.Run("the mode may change in between", func(t *testing.T) {
		var b Backlog
		b.Push(false) // qmp_capabilities, which switches oob on
		if b.Pop() || !b.Answered() || b.Push(true) {
			t.Error("the answer to qmp_capabilities does not let reading go on")
		}
	})
	t.Run("disconnect with requests waiting", func(t *testing.T) {
		var b Backlog
		b.Push(false)
		if !b.Clear() || b.Stopped() {
			t.Error("still stopped")
		}
	})
	t.Run("disconnect with one in work", func(t *testing.T) {
		var b Backlog
		b.Push(false)
		b.Pop()
		if b.Clear() || !b.Answered() {
			t.Error("the next client is read before the command is done")
		}
	})
}

// FuzzSession: whatever comes in, nothing panics, each request has exactly one
// reply, each reply is one line, and the cuts between pieces do not matter.
func FuzzSession(f *testing.F) {
	f.Add([]byte(plain+`{"execute":"query-status","id":1}`), uint8(1))
	f.Add([]byte(withOOB+`{"exec-oob":"query-yank"}{"execute":"nope"}[{]}`), uint8(9))
	f.Add([]byte(`{"execute":1}{"exec-oob":[]}{"a":1}{"execute":"`+"\xff"+`","arguments":0}`), uint8(5))
	f.Fuzz(func(t *testing.T, data []byte, chunk uint8) {
		whole := newMonitor(t, recordedConfig(), commands(t))
		whole.write(data)
		if lines := bytes.Count(whole.out.Bytes(), []byte("\r\n")); lines != whole.replies-whole.silent {
			t.Fatalf("%d requests of which %d are silent, %d lines:\n%s", whole.replies, whole.silent, lines, &whole.out)
		}
		for _, b := range whole.out.Bytes() {
			if b >= 0x7F || b < ' ' && b != '\r' && b != '\n' {
				t.Fatalf("byte %#x is sent", b)
			}
		}
		pieces := newMonitor(t, recordedConfig(), commands(t))
		for p := data; len(p) > 0; p = p[min(1+int(chunk), len(p)):] {
			pieces.write(p[:min(1+int(chunk), len(p))])
		}
		if !bytes.Equal(whole.out.Bytes(), pieces.out.Bytes()) {
			t.Fatalf("whole\n%s\nin pieces\n%s", &whole.out, &pieces.out)
		}
	})
}

// BenchmarkDispatch is a small command from its bytes to its reply.
func BenchmarkDispatch(b *testing.B) {
	s := NewSession(commands(b), Config{})
	line := []byte(`{"execute": "none", "id": "libvirt-17"}` + "\n")
	out := make([]byte, 0, 256)
	ctx := context.Background()
	run := func(r Request) bool {
		out = s.Prepare(ctx, r).Dispatch(out[:0])
		return true
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Feed(line, run)
	}
	if string(out) != "{\"return\": {}, \"id\": \"libvirt-17\"}\r\n" {
		b.Fatalf("%q", out)
	}
}
