package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// A qmpServer answers commands with recorded texts, over a unix socket.
type qmpServer struct {
	t        *testing.T
	path     string
	listener net.Listener
	replies  map[string]string // "return": …, or "error": …, by command
	events   map[string]string // lines to send before the reply, by command
	hangUpAt string            // the command behind which it hangs up

	mu    sync.Mutex
	conns []net.Conn
	asked []string      // commands with their arguments, but for the usual questions
	noted chan struct{} // has room for one: something was added to asked
	done  sync.WaitGroup
}

// background are the questions the client asks for itself.
var background = []string{"qmp_capabilities", "query-qmp-schema", "device-list-properties", "qom-list-types"}

func newQMPServer(t *testing.T) *qmpServer {
	t.Helper()
	s := &qmpServer{t: t, path: filepath.Join(t.TempDir(), "s"), events: map[string]string{}, noted: make(chan struct{}, 1)}
	s.replies = map[string]string{
		"qmp_capabilities":       `"return": {}`,
		"query-qmp-schema":       `"return": ` + file(t, "../../qapi/testdata/qmp-schema-10.0.json"),
		"device-list-properties": `"return": ` + file(t, "testdata/virtio-blk-pci.json"),
		"qom-list-types":         `"return": [{"name": "virtio-rng-pci"}, {"name": "virtio-blk-pci"}, {"name": "nvme"}]`,
		"qom-list":               `"return": [{"name": "type", "type": "string"}, {"name": "d0", "type": "child<virtio-blk-pci>"}]`,
		"query-status":           `"return": {"status": "running", "running": true}`,
		"query-name":             `"return": {}`,
		"quit":                   `"return": {}`,
		"device_add":             `"return": {}`,
		"device_del":             `"return": {}`,
		"blockdev-add":           `"error": {"class": "GenericError", "desc": "Duplicate nodes with node-name='n0'"}`,
	}
	var err error
	if s.listener, err = net.Listen("unix", s.path); err != nil {
		t.Fatal(err)
	}
	s.done.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
			s.done.Go(func() { s.serve(conn) })
		}
	})
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() {
		s.listener.Close()
		s.hangUp()
		s.done.Wait()
		goleak.VerifyNone(t, ignore)
	})
	return s
}

func file(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), "\n", " ")
}

// say sends a line to every client.
func (s *qmpServer) say(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		fmt.Fprintf(conn, "%s\r\n", line) // a client that has gone is told nothing
	}
}

func (s *qmpServer) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, conn := range s.conns {
		conn.Close()
	}
}

func (s *qmpServer) serve(conn net.Conn) {
	fmt.Fprint(conn, `{"QMP": {"version": {"qemu": {"micro": 2, "minor": 0, "major": 10}, "package": ""}, "capabilities": ["oob"]}}`+"\r\n")
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		v, err := qobject.ParseJSON(lines.Text())
		if err != nil {
			s.t.Errorf("the client sent %s", lines.Text())
			return
		}
		name := s.note(v.(*qobject.Dict))
		id, _ := v.(*qobject.Dict).Get("id")
		s.mu.Lock()
		reply, events := s.replies[name], s.events[name]
		s.mu.Unlock()
		if reply == "" {
			reply = fmt.Sprintf(`"error": {"class": "CommandNotFound", "desc": "The command %s has not been found"}`, name)
		}
		if reply == "silence" {
			continue
		}
		s.say(fmt.Sprintf("%s{%s, \"id\": %s}", events, reply, qobject.Encode(id)))
		if name == s.hangUpAt {
			conn.Close()
			return
		}
	}
}

// note remembers a command and returns its name.
func (s *qmpServer) note(d *qobject.Dict) string {
	verb := "execute"
	v, ok := d.Get(verb)
	if !ok {
		verb = "exec-oob"
		v, _ = d.Get(verb)
	}
	name, _ := v.(string)
	text := name
	if verb == "exec-oob" {
		text = "oob " + name
	}
	if args, ok := d.Get("arguments"); ok {
		text += " " + qobject.Encode(args)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range background {
		if name == b {
			return name
		}
	}
	s.asked = append(s.asked, text)
	select {
	case s.noted <- struct{}{}:
	default:
	}
	return name
}

// commands returns what the client was told to run.
func (s *qmpServer) commands() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.asked, "\n")
}

// result is what a command has left behind.
type result struct {
	status   int
	out, err string
}

// runWith runs backplane with that input.
func runWith(input string, args ...string) result {
	var out, errs strings.Builder
	status := run(args, strings.NewReader(input), &out, &errs)
	return result{status, out.String(), errs.String()}
}
