package e2e

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qmp/qmptest"
)

// streams is how many streams of bytes are given to both programs.
const streams = 4000

// TestDialect gives random and mutated bytes to the binary and to a QEMU, and
// compares every line they say. QEMU's reader of JSON has not changed between
// 7.2 and 10.0. DIALECT_SEED and DIALECT_STREAMS choose others and more.
func TestDialect(t *testing.T) {
	all := programs(t)
	if len(all) < 2 {
		return
	}
	seed, count := uint64(1), streams
	if s, err := strconv.ParseUint(os.Getenv("DIALECT_SEED"), 10, 64); err == nil {
		seed = s
	}
	if n, err := strconv.Atoi(os.Getenv("DIALECT_STREAMS")); err == nil {
		count = n
	}
	talks := map[string]*talk{}
	for name, program := range all {
		talks[name] = newTalk(t, served(t, program))
	}
	g := &mutator{rand.New(rand.NewPCG(seed, 0)), corpus(t)}
	lines, differ := 0, 0
	for i := range count {
		stream := g.stream()
		ours, theirs := talks["backplane"].say(t, stream, i), talks["QEMU"].say(t, stream, i)
		lines += len(theirs)
		if slices.Equal(ours, theirs) {
			continue
		}
		t.Errorf("seed %d, stream %d, %q:\nours\n%s\nQEMU's\n%s", seed, i, stream, strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
		if differ++; differ == 10 {
			t.Fatal("and so on")
		}
	}
	t.Logf("%d streams, %d lines, %d streams differ", count, lines, differ)
}

// TestDialectLimits goes to the limits of a message and past them, on both. (That
// of 64 MiB takes QEMU minutes, so it is not among them.)
func TestDialectLimits(t *testing.T) {
	all := programs(t)
	if len(all) < 2 {
		return
	}
	const tokens = 2 << 20
	for name, text := range map[string]string{
		"tokens":             "[" + strings.Repeat("1,", tokens/2-1) + "]",
		"too many tokens":    "[" + strings.Repeat("1,", tokens/2+3) + "1]",
		"nesting":            strings.Repeat("[", 1024) + strings.Repeat("]", 1024),
		"too deep":           strings.Repeat("[", 1025) + strings.Repeat("]", 1025),
		"too deep in braces": strings.Repeat(`{"a":`, 1025) + strings.Repeat("}", 1025),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours := newTalk(t, served(t, all["backplane"])).say(t, []byte(text), 0)
			if theirs := newTalk(t, served(t, all["QEMU"])).say(t, []byte(text), 0); !slices.Equal(ours, theirs) {
				t.Errorf("%d lines, QEMU says %d:\n%.300q\n%.300q", len(ours), len(theirs), ours, theirs)
			}
		})
	}
}

// tokenPatience bounds the answer to a stream: QEMU takes a minute for two million
// tokens on a host that has other work to do.
const tokenPatience = 5 * patience

// A talk is a conversation with one program.
type talk struct {
	conn net.Conn
	r    *bufio.Reader
}

func newTalk(t *testing.T, dial func() (net.Conn, error)) *talk {
	t.Helper()
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	k := &talk{conn, bufio.NewReaderSize(conn, 1<<20)}
	if _, err := k.r.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	k.say(t, []byte(`{"execute": "qmp_capabilities"}`), -1)
	return k
}

// say sends a stream and returns the lines that answer it. Behind the stream
// comes a byte that ends whatever is half said, and a command that tells where
// the answers end.
func (k *talk) say(t *testing.T, stream []byte, n int) (lines []string) {
	t.Helper()
	if err := k.conn.SetDeadline(time.Now().Add(tokenPatience)); err != nil {
		t.Fatal(err)
	}
	end := fmt.Sprintf(`{"execute": "the-end", "id": "stream %d"}`, n)
	message := append(append(slices.Clone(stream), 0xff), end...)
	done := make(chan error, 1)
	go func() {
		_, err := k.conn.Write(message)
		done <- err
	}()
	for {
		line, err := k.r.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", stream, err)
		}
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, fmt.Sprintf(`{"id": "stream %d", `, n)) {
			break
		}
		lines = append(lines, string(qmptest.Redact([]byte(line))))
	}
	if err := <-done; err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return lines
}

// corpus is what streams are made of: the inputs of the parser's own tests, the
// conformance checks, and commands that say the same everywhere.
func corpus(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../qapi/qobject/testdata/dialect.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, `"`) {
			s, err := strconv.Unquote(strings.TrimSuffix(line, "\n"))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
	}
	for _, c := range qmptest.Conformance() {
		if len(c.Send) < 1000 {
			all = append(all, c.Send)
		}
	}
	return append(all,
		`{"execute": "query-name", "id": {"a": [1, 2.5, -0, 1e400, "\u00e9\ud83d\ude00", null, true]}}`,
		`{"execute": "no-such", "arguments": {"b": {"c": []}}, "id": 18446744073709551616}`,
		`{'execute': 'device_del', 'arguments': {'id': 'n\'o'}}`, strings.Repeat("[", 1030), strings.Repeat("{\"a\":", 40))
}

// A mutator makes streams.
type mutator struct {
	*rand.Rand
	corpus []string
}

// telling are bytes that mean something to a reader of JSON, or that UTF-8
// does not like.
const telling = "{}[]:,\"'\\ \t\r\n\x00\x01\x1b\x7f\x80\xbf\xc0\xc1\xc3\xe2\xed\xf0\xf4\xf8\xfd\xfe\xff-+.0123456789eEtfnux%/abA"

func (g *mutator) stream() []byte {
	if g.IntN(8) == 0 { // nothing but noise
		p := make([]byte, g.IntN(40))
		for i := range p {
			p[i] = telling[g.IntN(len(telling))]
		}
		return p
	}
	p := []byte(g.corpus[g.IntN(len(g.corpus))])
	for range g.IntN(6) {
		p = g.mutate(p)
	}
	return p
}

func (g *mutator) mutate(p []byte) []byte {
	at := g.IntN(len(p) + 1)
	switch g.IntN(7) {
	case 0: // another byte
		if at < len(p) {
			p[at] = telling[g.IntN(len(telling))]
		}
		return p
	case 1:
		return slices.Insert(p, at, telling[g.IntN(len(telling))])
	case 2:
		return slices.Insert(p, at, byte(g.IntN(256)))
	case 3:
		return slices.Delete(p, at, min(len(p), at+1+g.IntN(4)))
	case 4:
		return p[:at]
	case 5: // some of it twice
		return slices.Insert(p, at, p[at:min(len(p), at+g.IntN(20))]...)
	}
	other := g.corpus[g.IntN(len(g.corpus))]
	return slices.Insert(p, at, []byte(other)...)
}

// TestMalformedLines has the binary answer a million lines that are wrong, and
// looks at its memory before and after.
func TestMalformedLines(t *testing.T) {
	p := newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-S", "-qmp", "unix:DIR/qmp,server=on,wait=off")
	p.start()
	p.until("the socket is there", func() bool { return p.exists("qmp") })
	conn := dialUnix(t, p.path("qmp"))
	lines := "{\"execute\": \xff\n[[[}\n\"\xc3(\"\n{\"a\": 1, \"a\": 2}\n{1: 2}\n01]\nnul\n\x01\n"
	send := func(n int) usage {
		done := make(chan error, 1)
		go func() {
			chunk := []byte(strings.Repeat(lines, 1000))
			for range n / 8000 {
				if _, err := conn.Write(chunk); err != nil {
					done <- err
					return
				}
			}
			_, err := conn.Write([]byte(`{"execute": 1, "id": "end"}`))
			done <- err
		}()
		r := bufio.NewReaderSize(conn, 1<<20)
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(string(line), `{"id": "end"`) {
				break
			}
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return p.usage()
	}
	before := send(80_000)
	after := send(1_000_000)
	t.Logf("before %v, after %v", before, after)
	if after.rss > before.rss+16<<10 || after.files != before.files {
		t.Errorf("before %v, after %v", before, after)
	}
}
