package qmptest_test

import (
	"bytes"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
	"github.com/backplane-vm/backplane/qmp/qmptest"
)

// echoOnce is a script: negotiate, answer one command, send an event before.
func echoOnce(f *qmptest.Fake) {
	f.Accept()
	a, ok := f.Receive()
	if !ok {
		return
	}
	f.Event("BEFORE", qobject.Members("n", int64(1)))
	f.Reply(a, a.Args)
	f.Receive()
}

func ask(t *testing.T, conn net.Conn) (int, *qmp.Client, error) {
	t.Helper()
	c, err := qmp.NewClient(t.Context(), conn)
	if err != nil {
		return 0, nil, err
	}
	t.Cleanup(func() { c.Close() })
	var got struct{ A int }
	err = c.Execute(t.Context(), "echo", map[string]int{"a": 7}, &got)
	return got.A, c, err
}

// wire is all that echoOnce sends.
func wire(t *testing.T) string {
	t.Helper()
	var record bytes.Buffer
	r := qmptest.Record(qmptest.NewFake(t, echoOnce), &record)
	if n, _, err := ask(t, r); n != 7 || err != nil || r.Err() != nil {
		t.Fatal(n, err, r.Err())
	}
	script, err := qmptest.ParseTranscript(record.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, s := range script.Steps {
		if s.Dir == qmptest.Out {
			all.Write(append(s.Raw, "\r\n"...))
		}
	}
	return all.String()
}

// TestFaults has every fault at every byte of a conversation.
func TestFaults(t *testing.T) {
	text := wire(t)
	for at := range text {
		n, c, err := ask(t, qmptest.NewFake(t, echoOnce, qmptest.Split(at)))
		if n != 7 || err != nil || c.Events().Cursor() != 1 {
			t.Fatalf("split at %d: %d, %v", at, n, err)
		}
		if at >= len(text)-len("\r\n") {
			break // the reply is there
		}
		if _, _, err := ask(t, qmptest.NewFake(t, echoOnce, qmptest.HangUp(at))); !errors.Is(err, qmp.ErrClosed) {
			t.Fatalf("hung up at %d: %v", at, err)
		}
		if _, _, err := ask(t, qmptest.NewFake(t, echoOnce, qmptest.Insert(at, "\xff"))); !errors.Is(err, qmp.ErrClosed) {
			t.Fatalf("garbage at %d: %v", at, err)
		}
		until := make(chan struct{})
		close(until)
		if n, _, err := ask(t, qmptest.NewFake(t, echoOnce, qmptest.Hold(at, until))); n != 7 || err != nil {
			t.Fatalf("held at %d: %d, %v", at, n, err)
		}
	}
}

// TestEventAnywhere sends an event before each line, the greeting too.
func TestEventAnywhere(t *testing.T) {
	const event = `{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "INSERTED"}` + "\r\n"
	text := wire(t)
	for at := 0; at < len(text); at += strings.IndexByte(text[at:], '\n') + 1 {
		n, c, err := ask(t, qmptest.NewFake(t, echoOnce, qmptest.Insert(at, event)))
		if n != 7 || err != nil || c.Events().Cursor() != 2 {
			t.Errorf("before byte %d: %d, %v", at, n, err)
		}
	}
}

func TestFail(t *testing.T) {
	_, _, err := ask(t, qmptest.NewFake(t, func(f *qmptest.Fake) {
		f.Accept()
		a, _ := f.Receive()
		if a.Command != "echo" || a.OOB || qobject.Encode(a.Args) != `{"a": 7}` {
			t.Errorf("asked %+v", a)
		}
		f.Fail(a, "DeviceNotFound", "no")
		f.Receive()
	}))
	var e *qerr.Error
	if !errors.As(err, &e) || e.Class != qerr.DeviceNotFound || e.Desc != "no" {
		t.Errorf("got %v", err)
	}
}

// TestReplay records a conversation and has it again with what was recorded.
func TestReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.jsonl")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	r := qmptest.Record(qmptest.NewFake(t, echoOnce), file, "-M", `"virt",`)
	if _, _, err := ask(t, r); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Err(), file.Close()); err != nil {
		t.Fatal(err)
	}
	script, err := qmptest.ReadTranscript(path)
	if err != nil || strings.Join(script.Args, " ") != `-M "virt",` {
		t.Fatalf("%+v, %v", script, err)
	}
	for _, fault := range []qmptest.Fault{qmptest.Split(0), qmptest.Split(200)} {
		if n, c, err := ask(t, qmptest.Replay(t, script, fault)); n != 7 || err != nil || c.Events().Cursor() != 1 {
			t.Errorf("replayed: %d, %v", n, err)
		}
	}
}

// Bytes that are no text, and half lines, are recorded too.
func TestRecordBytes(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	var record bytes.Buffer
	r := qmptest.Record(ours, &record)
	var peer sync.WaitGroup
	defer peer.Wait()
	peer.Go(func() {
		buf := make([]byte, 10)
		_, _ = theirs.Read(buf)
		_, _ = theirs.Write([]byte("ha"))
		_, _ = theirs.Write([]byte("lf\r\n"))
		theirs.Close()
	})
	if _, err := r.Write([]byte("\xff,")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 10)
	for {
		if _, err := r.Read(buf); err != nil {
			break
		}
	}
	const want = `{"dir": "meta", "args": []}` + "\n" + `{"dir": "in", "hex": "ff2c"}` + "\n" + `{"dir": "out", "raw": "half"}` + "\n" + `{"dir": "eof"}` + "\n"
	if record.String() != want {
		t.Errorf("got\n%s", &record)
	}
}

// TestConformance runs the checks on this package's own server.
func TestConformance(t *testing.T) {
	reg := qmp.NewRegistry[qmp.NoYield]()
	for _, name := range []string{"query-name", "query-version", "qmp_capabilities"} {
		if err := reg.Add(qmp.Command[qmp.NoYield]{Name: name, Run: func(_ *qmp.Call, args *qobject.Dict) (any, error) {
			if args.Len() > 0 {
				return nil, qerr.New("Parameter '%s' is unexpected", args.Keys()[0])
			}
			return nil, nil
		}}); err != nil {
			t.Fatal(err)
		}
	}
	err := reg.Add(qmp.Command[qmp.NoYield]{Name: "device_del", Run: func(_ *qmp.Call, args *qobject.Dict) (any, error) {
		if !args.Has("id") {
			return nil, qerr.New("Parameter 'id' is missing")
		}
		return nil, qerr.New("Invalid parameter type for 'id', expected: string")
	}})
	if err != nil {
		t.Fatal(err)
	}
	config := qmp.Config{Greeting: qmp.Greeting(qmp.Version{Major: 10}, true), OOB: true}
	qmptest.TestConformance(t, func() (net.Conn, error) { return qmptest.Pipe(t, reg, config), nil })
}

// FuzzTranscript: what is read as a recording can be replayed and recorded
// again, and is the same then.
func FuzzTranscript(f *testing.F) {
	f.Add([]byte("{}\n" + `{"dir": "in", "raw": "a\n"}` + "\n" + `{"dir": "out", "raw": "{\"x\": 1}"}` + "\n" + `{"dir": "in", "hex": "ff00"}` + "\n" + `{"dir": "eof"}`))
	f.Add([]byte(`{"args": ["-M"], "timing": true}` + "\n" + `{"dir": "quiet"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		script, err := qmptest.ParseTranscript(text)
		if err != nil {
			return
		}
		var record bytes.Buffer
		for _, s := range script.Steps {
			if s.Dir != qmptest.In || len(s.Raw) == 0 {
				continue
			}
			ours, theirs := net.Pipe()
			theirs.Close()
			record.Reset()
			_, _ = qmptest.Record(ours, &record).Write(s.Raw) // nobody listens
			again, err := qmptest.ParseTranscript(record.Bytes())
			if err != nil || len(again.Steps) != 1 || !bytes.Equal(again.Steps[0].Raw, s.Raw) {
				t.Fatalf("%q is recorded as %s: %v", s.Raw, &record, err)
			}
		}
	})
}
