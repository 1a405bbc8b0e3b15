package qmptest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
	"github.com/backplane-vm/backplane/qmp/qmptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestReadTranscript(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.jsonl")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"dir": "meta", "args": ["-M", "virt"], "timing": true, "note": "n"}
{"dir": "in", "raw": "{}\n", "msg": {}}
{"dir": "in", "hex": "ff0a"}
{"dir": "out", "msg": {"error": 1}, "raw": "{\"error\": 1}"}
{"dir": "quiet"}
{"dir": "eof", "status": 0}
`)
	got, err := qmptest.ReadTranscript(path)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Timing || got.Note != "n" || strings.Join(got.Args, " ") != "-M virt" || len(got.Steps) != 5 {
		t.Errorf("got %+v", got)
	}
	for i, want := range []qmptest.Step{
		{Dir: qmptest.In, Raw: []byte("{}\n")}, {Dir: qmptest.In, Raw: []byte("\xff\n")},
		{Dir: qmptest.Out, Raw: []byte(`{"error": 1}`)}, {Dir: qmptest.Quiet}, {Dir: qmptest.EOF},
	} {
		if g := got.Steps[i]; g.Dir != want.Dir || string(g.Raw) != string(want.Raw) {
			t.Errorf("step %d: %q, want %q", i, g, want)
		}
	}
	for _, broken := range []string{"no JSON\n", "{}\n{}\n", "{}\n" + `{"dir": "in", "hex": "zz"}` + "\n"} {
		write(broken)
		if _, err := qmptest.ReadTranscript(path); err == nil {
			t.Errorf("%q is a transcript", broken)
		}
	}
}

func TestRedact(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{`{"timestamp": {"seconds": 1, "microseconds": 22}, "event": "STOP"}`, `{"timestamp": T, "event": "STOP"}`},
		{`{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": "x"}, "capabilities": []}}`,
			`{"QMP": {"version": VERSION, "capabilities": []}}`},
		{`{"return": [{"thread-id": 5}], "id": 5}`, `{"return": [{"thread-id": N}], "id": 5}`},
	} {
		if got := string(qmptest.Redact([]byte(test.line))); got != test.want {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func TestPipe(t *testing.T) {
	reg := qmp.NewRegistry[qmp.NoYield]()
	err := reg.Add(qmp.Command[qmp.NoYield]{Name: "echo",
		Run: func(_ *qmp.Call, args *qobject.Dict) (any, error) { return args, nil }})
	if err != nil {
		t.Fatal(err)
	}
	config := qmp.Config{Greeting: qmp.Greeting(qmp.Version{Major: 10}, false)}
	c, err := qmp.NewClient(t.Context(), qmptest.Pipe(t, reg, config))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got struct{ A int }
	if err := c.Execute(t.Context(), "echo", map[string]int{"a": 7}, &got); err != nil || got.A != 7 {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestServer(t *testing.T) {
	s := qmptest.NewServer(qmp.NewRegistry[qmp.NoYield](), qmp.Config{Greeting: qmp.Greeting(qmp.Version{}, false)})
	s.Open()
	s.Send(qmp.Event{Name: "EARLY"}, qmp.Timestamp{})
	if got := s.Out.String(); strings.Contains(got, "EARLY") || !strings.HasPrefix(got, `{"QMP"`) {
		t.Errorf("greeting %q", got)
	}
	if got := s.Ask(`{"execute": "qmp_capabilities"}`); got != "{\"return\": {}}\r\n" || s.Answered != 1 {
		t.Errorf("got %q", got)
	}
	s.Send(qmp.Event{Name: "STOP"}, qmp.Timestamp{})
	if got := s.Out.String(); !strings.Contains(got, "STOP") {
		t.Errorf("no event in %q", got)
	}
	s.Close()
	if s.Session.Negotiated() || s.Out.Len() != 0 {
		t.Error("a closed server remembers its client")
	}
}
