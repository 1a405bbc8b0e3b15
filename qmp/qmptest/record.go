package qmptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// A Recorder is a client's connection that writes down what is said on it, in
// the form [ReadTranscript] reads. It carries no files (qmp.Client.WithFiles).
type Recorder struct {
	net.Conn

	mu   sync.Mutex
	w    io.Writer
	line []byte // of the server's, not complete
	err  error  // the first of writing
}

// Record returns conn with a record of it written to w. args are the flags that
// the server was run with, for whoever reads the record. The Recorder's Err
// tells whether the record is complete.
func Record(conn net.Conn, w io.Writer, args ...string) *Recorder {
	r := &Recorder{Conn: conn, w: w}
	list := make([]string, len(args))
	for i, a := range args {
		list[i] = quoted(a)
	}
	r.note(`{"dir": "meta", "args": [` + strings.Join(list, ", ") + `]}`)
	return r
}

// Err returns the first error of writing the record.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Write implements net.Conn.
func (r *Recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	r.step(In, p)
	r.mu.Unlock()
	return r.Conn.Write(p)
}

// Read implements net.Conn.
func (r *Recorder) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	for rest := p[:n]; len(rest) > 0; {
		part, more, whole := bytes.Cut(rest, []byte{'\n'})
		r.line, rest = append(r.line, part...), more
		if whole {
			r.step(Out, bytes.TrimSuffix(r.line, []byte{'\r'}))
			r.line = r.line[:0]
		}
	}
	if errors.Is(err, io.EOF) {
		r.note(`{"dir": "eof"}`)
	}
	return n, err
}

// step writes one line of the record; what is no text is written as digits.
func (r *Recorder) step(dir Dir, raw []byte) {
	if !utf8.Valid(raw) {
		r.note(fmt.Sprintf(`{"dir": "%s", "hex": "%x"}`, dir, raw))
		return
	}
	r.note(fmt.Sprintf(`{"dir": "%s", "raw": %s}`, dir, quoted(string(raw))))
}

func (r *Recorder) note(step string) {
	if _, err := io.WriteString(r.w, step+"\n"); err != nil && r.err == nil {
		r.err = err
	}
}

// quoted writes s, which is valid UTF-8, as JSON.
func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings are always written
	}
	return string(text)
}

// Replay returns the client's end of a connection to a server that says what
// the transcript has it say, and fails the test unless the client says what it
// has said there. The server hangs up at the end of the transcript.
func Replay(t testing.TB, script *Transcript, faults ...Fault) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	var server sync.WaitGroup
	server.Go(func() {
		defer theirs.Close()
		if err := replay(Faulty(theirs, faults...), script); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		ours.Close()
		server.Wait()
	})
	return ours
}

// replay holds the server's part of the conversation. A client that hangs up
// ends it.
func replay(conn net.Conn, script *Transcript) error {
	for i, step := range script.Steps {
		switch step.Dir {
		case In:
			got := make([]byte, len(step.Raw))
			if n, _ := io.ReadFull(conn, got); n < len(got) { // hung up
				return nil
			}
			if !bytes.Equal(got, step.Raw) {
				return fmt.Errorf("step %d: the client said %q, and in the transcript %q", i+1, got, step.Raw)
			}
		case Out:
			line := append(bytes.Clone(step.Raw), '\r', '\n')
			if n, _ := conn.Write(line); n < len(line) { // hung up
				return nil
			}
		case EOF:
			return nil
		case Quiet, Signal, Wait: // nothing is said
		}
	}
	return nil
}
