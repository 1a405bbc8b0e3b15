package api

import (
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qapi/visit"
	"github.com/backplane-vm/backplane/qmp"
)

func table() map[string]qmp.Command[*coro.Co] {
	m := map[string]qmp.Command[*coro.Co]{}
	for _, c := range Table(nil) {
		m[c.Name] = c
	}
	return m
}

// TestArgumentErrors replays what QEMU 10.0 answered to wrong arguments
// (transcripts error-*.jsonl, negotiate-*.jsonl). No handler is reached.
func TestArgumentErrors(t *testing.T) {
	commands := table()
	for _, c := range []struct{ name, args, want string }{
		{"query-status", `{"foo": 1}`, "Parameter 'foo' is unexpected"},
		{"device_del", `{"id": "x", "foo": 1}`, "Parameter 'foo' is unexpected"},
		{"device_del", `{}`, "Parameter 'id' is missing"},
		{"qom-get", `{"path": "/", "property": "type", "foo": [1]}`, "Parameter 'foo' is unexpected"},
		{"qom-get", `{"path": "/machine"}`, "Parameter 'property' is missing"},
		{"human-monitor-command", `{}`, "Parameter 'command-line' is missing"},
		{"blockdev-add", `{}`, "Parameter 'driver' is missing"},
		{"blockdev-add", `{"driver": "null-co", "node-name": "e0", "nonesuch": 1}`, "Parameter 'nonesuch' is unexpected"},
		{"blockdev-add", `{"driver": "null-co", "node-name": "e0", "latency-ns": "many"}`, "Parameter 'latency-ns' expects uint64"},
		{"qmp_capabilities", `{"enable": "oob"}`, "Invalid parameter type for 'enable', expected: array"},
		{"qmp_capabilities", `{"enable": [1]}`, "Invalid parameter type for 'enable[0]', expected: string"},
		{"qmp_capabilities", `{"enable": ["zz"]}`, "Parameter 'null' does not accept value 'zz'"},
	} {
		args, err := qobject.ParseJSON(c.args)
		if err != nil {
			t.Fatal(err)
		}
		command, d := commands[c.name], args.(*qobject.Dict)
		if command.Options&qmp.Coroutine != 0 {
			_, err = command.RunCo(nil, &qmp.Call{}, d)
		} else {
			_, err = command.Run(&qmp.Call{}, d)
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%s %s: got %v, want %s", c.name, c.args, err, c.want)
		}
	}
}

func TestOptions(t *testing.T) {
	commands := table()
	if len(commands) < 33 {
		t.Errorf("only %d commands", len(commands))
	}
	for name, want := range map[string]qmp.Options{
		"device_add": qmp.Coroutine, "device_del": 0, "qmp_capabilities": qmp.AllowPreconfig, "quit": qmp.AllowPreconfig, "stop": qmp.Coroutine,
	} {
		c := commands[name]
		if c.Options != want || (c.RunCo != nil) != (want == qmp.Coroutine) || (c.Run != nil) == (want == qmp.Coroutine) {
			t.Errorf("%s: options %b, want %b", name, c.Options, want)
		}
	}
}

// TestBlockdevKeyval decodes what -blockdev driver=raw,file.driver=file,… has
// become after its dots were taken apart.
func TestBlockdevKeyval(t *testing.T) {
	file := qobject.Members("driver", "file", "filename", "/d.img", "locking", "off")
	in := visit.New(qobject.Members("driver", "raw", "node-name", "d0", "read-only", "on", "size", "1048576", "file", file), visit.Keyval)
	opts := DecodeBlockdevOptions(in)
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	if opts.Raw == nil || opts.File != nil || *opts.Raw.Size != 1<<20 || !*opts.ReadOnly {
		t.Errorf("got %+v", opts)
	}
	if f := opts.Raw.File.Definition; f == nil || f.File == nil || f.File.Filename != "/d.img" || *f.File.Locking != OnOffAutoOff {
		t.Errorf("file is %+v", f)
	}
	file.Set("aio", "magic")
	in = visit.New(qobject.Members("driver", "raw", "file", file), visit.Keyval)
	DecodeBlockdevOptions(in)
	if err := in.Err(); err == nil || err.Error() != "Parameter 'aio' does not accept value 'magic'" {
		t.Errorf("got %v", err)
	}
}

// TestIntrospection decodes the reply of query-qmp-schema by the types it
// describes, and encodes it again.
func TestIntrospection(t *testing.T) {
	list := Introspection().([]any)
	in := visit.New(list, visit.JSON)
	infos := visit.List(in, DecodeSchemaInfo)
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	if got := qobject.Encode(visit.EncodeList(infos, (*SchemaInfo).QObject)); got != IntrospectionJSON {
		t.Error("the description changed on the way through its own types")
	}
	commands := table()
	for _, x := range infos {
		if x.Command == nil {
			continue
		}
		if _, ok := commands[x.Name]; !ok {
			t.Errorf("%s is described but not in the table", x.Name)
		}
		delete(commands, x.Name)
	}
	if len(commands) != 0 {
		t.Errorf("commands that are not described: %v", commands)
	}
}

func BenchmarkIntrospection(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Introspection()
	}
}

func BenchmarkDecodeBlockdevAdd(b *testing.B) {
	v, err := qobject.ParseJSON(`{"driver": "raw", "node-name": "d0", "file": {"driver": "file", "filename": "/d.img"}}`)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		in := visit.New(v, visit.JSON)
		DecodeBlockdevOptions(in)
		if in.Err() != nil {
			b.Fatal(in.Err())
		}
	}
}

func BenchmarkEncodeStatus(b *testing.B) {
	s := StatusInfo{Running: true, Status: RunStateRunning}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = qobject.Append(buf[:0], s.QObject())
	}
}

// What an object has of its base can be had as that.
func TestBase(t *testing.T) {
	on := true
	file := MemoryBackendFileProperties{Size: 5, Share: &on, MemPath: "f"}
	if b := file.AsMemoryBackendProperties(); b.Size != 5 || b.Share != &on || b.Merge != nil {
		t.Errorf("%+v", b)
	}
}
