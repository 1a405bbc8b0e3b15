package e2e

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qmp/qmptest"
)

// recordings are conversations with QEMU 10.0 that are not part of the
// repository.
const recordings = "../../shared/reference/qmp-transcripts-10.0"

// silence is how long a line that may stand for one of QEMU's that is not said here
// is waited for before the conversation goes on without it. One that comes later
// counts all the same.
const silence = 500 * time.Millisecond

// TestTranscripts holds conversations with the binary over stdio that somebody
// had with QEMU, and compares every line. What may differ, and why, stands in
// testdata/differences.txt.
func TestTranscripts(t *testing.T) {
	known := readDifferences(t)
	for _, dir := range []string{"testdata/transcripts", recordings} {
		paths, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) == 0 {
			if dir != recordings {
				t.Fatalf("%s is gone", dir)
			}
			t.Logf("%s is not there: only the conversations in testdata are held", dir)
		}
		for _, path := range paths {
			name := strings.TrimSuffix(filepath.Base(path), ".jsonl")
			k := known.of(name)
			if k.skip != "" {
				continue
			}
			t.Run(filepath.Base(filepath.Dir(path))+"/"+name, func(t *testing.T) {
				t.Parallel()
				replay(t, path, k, known.missing())
			})
		}
	}
	known.checkNames(t)
}

// replay has the conversation in path, without the flags missing, and compares
// it but for what k tells.
func replay(t *testing.T, path string, k *difference, missing []string) {
	script, err := qmptest.ReadTranscript(path)
	if err != nil {
		t.Fatal(err)
	}
	p, c := converse(t, without(script.Args, missing))
	k.anyOrder = script.Timing
	var want []string
	for _, step := range script.Steps {
		switch step.Dir {
		case qmptest.In:
			c.await(k, want)
			if _, err := c.to.Write(step.Raw); err != nil {
				t.Logf("sending: %v", err)
			}
		case qmptest.Out:
			want = append(want, redact(step.Raw))
		case qmptest.Signal:
			c.await(k, want)
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
		case qmptest.EOF, qmptest.Quiet, qmptest.Wait: // what comes, or does not, is compared at the end
		}
	}
	c.await(k, want)
	if script.Steps[len(script.Steps)-1].Dir == qmptest.EOF && !k.runsOn {
		p.wait()
		k.compare(t, want, c.rest())
		return
	}
	for k.runsOn && len(c.got) <= len(want) && c.next(patience) { // the answer to what ended QEMU
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	p.wait()
	got := c.rest()
	if n := len(got); n > 0 && strings.Contains(got[n-1], `"reason": "host-signal"`) {
		got = got[:n-1] // of the signal that the recording does not have
	}
	if n := len(got); n > len(want) && k.runsOn {
		got = got[:n-1]
	}
	k.compare(t, want, got)
}

// without returns args less those of the flags with values that are missing.
func without(args, missing []string) []string {
	var kept []string
	for i := 0; i < len(args); i++ {
		if i+1 < len(args) && slices.Contains(missing, args[i]+" "+args[i+1]) {
			i++
			continue
		}
		kept = append(kept, args[i])
	}
	return kept
}

// TestMissingFlags notices when a flag that conversations do without is there.
func TestMissingFlags(t *testing.T) {
	for _, flag := range readDifferences(t).missing() {
		name, value, _ := strings.Cut(flag, " ")
		p := newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-S", name, value)
		p.begin()
		if status := p.wait(); status != 1 || p.said() == "" {
			t.Errorf("%s %s: status %d, it says %q; was it to be refused?", name, value, status, p.said())
		}
	}
}

// threadID is how the human monitor says what Redact hides in JSON. It never changes.
var threadID = regexp.MustCompile(`thread_id=\d+`)

func redact(line []byte) string {
	return string(threadID.ReplaceAll(qmptest.Redact(line), []byte("thread_id=N")))
}

// conversation is one over a program's stdin and stdout.
type conversation struct {
	to    io.WriteCloser
	lines chan string
	got   []string
	over  bool // a line that was due has not come
}

func converse(t *testing.T, args []string) (*process, *conversation) {
	t.Helper()
	p := newProcess(t, slices.Clone(args)...)
	to, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	from, out, err := os.Pipe() // Cmd.StdoutPipe would be closed by Wait
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout = out
	p.start()
	out.Close()
	c := &conversation{to: to, lines: make(chan string, 1<<16)}
	go func() {
		defer close(c.lines)
		defer from.Close()
		r := bufio.NewReader(from)
		for {
			line, err := r.ReadString('\n')
			if line = strings.TrimRight(line, "\r\n"); line != "" || err == nil {
				c.lines <- redact([]byte(line))
			}
			if err != nil {
				return
			}
		}
	}()
	return p, c
}

// await returns once the lines of want have come, but for those of which k tells
// that they do not, or one of them does not come.
func (c *conversation) await(k *difference, want []string) {
	for !c.over && !k.complete(want, c.got) {
		c.over = !c.next(patience)
	}
	for len(c.got) < len(want) && c.next(silence) {
	}
}

// next takes the next line, unless none comes for that long.
func (c *conversation) next(limit time.Duration) bool {
	select {
	case line, ok := <-c.lines:
		if ok {
			c.got = append(c.got, line)
		}
		return ok
	case <-time.After(limit):
		return false
	}
}

// rest returns all lines, once the program has ended.
func (c *conversation) rest() []string {
	for line := range c.lines {
		c.got = append(c.got, line)
	}
	return c.got
}
