package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// An hmpServer plays back what QEMU's monitor sent, in single bytes if slow. 'quit' hangs up.
type hmpServer struct {
	path     string
	Greeting string
	Replies  map[string]string // by line
	slow     bool
}

// newHMPServer starts a server, after adjust.
func newHMPServer(t *testing.T, adjust func(*hmpServer)) *hmpServer {
	t.Helper()
	data, err := os.ReadFile("testdata/hmp.json")
	if err != nil {
		t.Fatal(err)
	}
	s := &hmpServer{path: filepath.Join(t.TempDir(), "m")}
	if err := json.Unmarshal(data, s); err != nil {
		t.Fatal(err)
	}
	adjust(s)
	listener, err := net.Listen("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	ignore := goleak.IgnoreCurrent()
	var done sync.WaitGroup
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			done.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		done.Wait()
		goleak.VerifyNone(t, ignore)
	})
	return s
}

func (s *hmpServer) serve(conn net.Conn) {
	defer conn.Close()
	s.send(conn, s.Greeting)
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if lines.Text() == "quit" {
			s.send(conn, "q\x1b[K\x1b[Dquit\x1b[K\r\n")
			return
		}
		s.send(conn, s.Replies[lines.Text()])
	}
}

func (s *hmpServer) send(w io.Writer, text string) {
	if !s.slow {
		io.WriteString(w, text)
		return
	}
	for i := range len(text) {
		io.WriteString(w, text[i:i+1])
	}
}

const hmpStatus = "VM status: running\n"

func TestHMP(t *testing.T) {
	for _, slow := range []bool{false, true} {
		s := newHMPServer(t, func(s *hmpServer) { s.slow = slow })
		for _, c := range []struct {
			name, input string
			args        []string
			want        result
		}{
			{"one", "", []string{s.path, "info status"}, result{0, hmpStatus, ""}},
			{"words", "xyz\n", []string{"unix:" + s.path, "info", "status"}, result{0, hmpStatus, ""}},
			{"two lines", "", []string{s.path, "info name -x"},
				result{0, "name: extraneous characters at the end of line\nTry \"help info name\" for more information\n", ""}},
			{"unknown", "", []string{s.path, "xyz"}, result{0, "unknown command: 'xyz'\n", ""}},
			{"quit", "", []string{s.path, "quit"}, result{0, "", ""}},
			{"script", "# first\n\n  info status\nxyz\n", []string{s.path}, result{0, hmpStatus + "unknown command: 'xyz'\n", ""}},
			{"after quit", "info status\nquit\nxyz\n", []string{s.path},
				result{2, hmpStatus, "backplane hmp: the monitor has hung up before 'xyz'\n"}},
			{"tab", "", []string{s.path, "info\tstatus"},
				result{2, "", "backplane hmp: the line has control characters in it; see 'backplane hmp -h'\n"}},
			{"tab in a script", "info status\nxy\tz\n", []string{s.path},
				result{2, hmpStatus, "backplane hmp: the line has control characters in it\n"}},
		} {
			if got := runWith(c.input, append([]string{"hmp"}, c.args...)...); got != c.want {
				t.Errorf("%s (slow: %v): %+v", c.name, slow, got)
			}
		}
	}
}

func TestHMPWithoutPrompt(t *testing.T) {
	s := newHMPServer(t, func(s *hmpServer) { s.Greeting = "hello (qemu) " })
	if r := runWith("", "hmp", "--timeout", "50ms", s.path, "x"); r.status != 2 || r.out != "" || !strings.Contains(r.err, errTimeout.Error()) {
		t.Errorf("%+v", r)
	}
}

// With the terminal passed through, everything goes both ways, and ctrl-] ends it.
func TestHMPRelay(t *testing.T) {
	ours, theirs := net.Pipe()
	in, keys := io.Pipe()
	out, ended := newScreen(), make(chan error, 1)
	go func() { ended <- relay(t.Context(), ours, in, out) }()
	if _, err := io.WriteString(theirs, "(qemu) "); err != nil {
		t.Fatal(err)
	}
	out.expect(t, "(qemu) ")
	go io.WriteString(keys, "info\t\x03\x04 st\x1dnot this")
	got, err := io.ReadAll(theirs)
	if string(got) != "info\t\x03\x04 st" || err != nil {
		t.Errorf("the monitor got %q, %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	keys.Close()
}

// When the monitor hangs up, it is over too.
func TestHMPRelayHangUp(t *testing.T) {
	ours, theirs := net.Pipe()
	in, keys := io.Pipe()
	defer keys.Close()
	theirs.Close()
	if err := relay(t.Context(), ours, in, newScreen()); err != nil {
		t.Error(err)
	}
}
