package main

import (
	"context"
	"strings"
	"testing"
)

const deletedEvent = `{"timestamp": {"seconds": 5, "microseconds": 6}, "event": "DEVICE_DELETED", "data": {"device": "d0", "path": "/d0"}}` + "\r\n"

func TestQMPCommand(t *testing.T) {
	for _, c := range []struct {
		name    string
		args    []string
		status  int
		out     string
		err     string
		command string // as the server got it
	}{
		{"pretty", []string{"query-status"}, 0,
			"{\n    \"status\": \"running\",\n    \"running\": true\n}\n", "", "query-status"},
		{"compact", []string{"--compact", "query-status"}, 0, `{"status": "running", "running": true}` + "\n", "", "query-status"},
		{"nothing", []string{"query-name"}, 0, "{}\n", "", "query-name"},
		{"unknown", []string{"foo", "a=1"}, 1, "", "CommandNotFound: The command foo has not been found\n", `foo {"a": "1"}`},
		{"error", []string{"blockdev-add", "driver=null-co", "node-name=n0", "size=64M", "read-only=on", "cache.direct=off"}, 1, "",
			"GenericError: Duplicate nodes with node-name='n0'\n",
			`blockdev-add {"cache": {"direct": false}, "driver": "null-co", "node-name": "n0", "read-only": true, "size": 67108864}`},
		{"properties", []string{"device_add", "driver=virtio-blk-pci", "id=5", "num-queues=2", "ats=on", "addr=5", "drive=6", "logical_block_size=4k", "rerror=1"}, 0, "{}\n", "",
			`device_add {"addr": "5", "ats": true, "drive": "6", "driver": "virtio-blk-pci", "id": "5", "logical_block_size": 4096, "num-queues": 2, "rerror": "1"}`},
		{"bad property", []string{"device_add", "driver=virtio-blk-pci", "num-queues=many"}, 2, "",
			"backplane qmp: argument 'num-queues': 'many' is not an integer\n", ""},
		{"object", []string{"device_del", `{"id": 5}`}, 0, "{}\n", "", `device_del {"id": 5}`},
		{"whole", []string{`{"execute": "device_del", "arguments": {"id": 5}, "id": 7}`}, 0, "{}\n", "", `device_del {"id": 5}`},
		{"whole out of band", []string{`{"exec-oob": "query-name"}`}, 0, "{}\n", "", `oob query-name`},
		{"out of band", []string{"--oob", "query-name"}, 0, "{}\n", "", `oob query-name`},
		{"bad object", []string{"device_del", `{"id": `}, 2, "", "backplane qmp: JSON parse error, ", ""},
		{"list", []string{`{"execute": "a"} `, "b"}, 2, "", "backplane qmp: a command has a name", ""},
		{"no verb", []string{`{"id": 1}`}, 2, "", "backplane qmp: the command has no member 'execute'\n", ""},
		{"two verbs", []string{`{"execute": "a", "exec-oob": "b"}`}, 2, "", "backplane qmp: a command is either", ""},
		{"member", []string{`{"execute": "a", "argument": {}}`}, 2, "", "backplane qmp: a command has no member 'argument'\n", ""},
		{"type", []string{`{"execute": "a", "arguments": []}`}, 2, "", "backplane qmp: member 'arguments' of the command has the wrong type\n", ""},
		{"syntax", []string{"device_del", "d0"}, 2, "", "backplane qmp: argument 'd0' is not NAME=VALUE\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newQMPServer(t)
			args := []string{"qmp", s.path}
			r := runWith("", append(args, c.args...)...)
			if r.status != c.status || !same(t, r.out, c.out) && r.out != c.out || c.name != "pretty" && strings.Count(r.out, "\n") > 1 || !says(r.err, c.err) {
				t.Errorf("status %d\nout: %s\nerr: %s", r.status, r.out, r.err)
			}
			if got := s.commands(); !sameCommand(t, got, c.command) {
				t.Errorf("the server was asked %s", got)
			}
		})
	}
}

// sameCommand compares a command with its arguments, in any order.
func sameCommand(t *testing.T, a, b string) bool {
	a, argsA, _ := strings.Cut(a, " {")
	b, argsB, _ := strings.Cut(b, " {")
	if argsA == "" || argsB == "" {
		return a == b && argsA == argsB
	}
	return a == b && same(t, "{"+argsA, "{"+argsB)
}

// A server that answers no question about itself still runs commands.
func TestQMPWithoutIntrospection(t *testing.T) {
	s := newQMPServer(t)
	delete(s.replies, "query-qmp-schema")
	delete(s.replies, "device-list-properties")
	r := runWith("", "qmp", "unix:"+s.path, "device_add", "driver=virtio-blk-pci", "num-queues=2")
	if r.status != 0 || !sameCommand(t, s.commands(), `device_add {"driver": "virtio-blk-pci", "num-queues": "2"}`) {
		t.Errorf("%+v, the server was asked %s", r, s.commands())
	}
}

func TestQMPEvents(t *testing.T) {
	for _, c := range []struct {
		name   string
		args   string
		status int
		out    []string // parts, in order
		err    string
	}{
		{"wait", "--compact --wait DEVICE_DELETED,device=d0 S device_del id=d0", 0, []string{"{}\n", "DEVICE_DELETED"}, ""},
		{"the others too", "S --events --wait DEVICE_DELETED,n.m=5 device_del id=d0", 0, []string{"{}\n", "STOP", `"d0"`, `"m": 5`}, ""},
		{"not if it failed", "--wait DEVICE_DELETED S blockdev-add driver=file", 1, nil, "GenericError: Dup"},
		{"not if it is gone", "--wait NEVER S quit", 1, []string{"{}\n"}, "the server has gone before NEVER came\n"},
		{"until it is gone", "--events S quit", 0, []string{"{}\n", "SHUTDOWN"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newQMPServer(t)
			s.hangUpAt = "quit"
			s.events["quit"] = eventLine("SHUTDOWN", `{"guest": false}`)
			s.events["device_del"] = someEvents()
			args := strings.Fields(strings.Replace(c.args, " S", " "+s.path, 1))
			if strings.HasPrefix(c.args, "S ") {
				args[0] = s.path
			}
			r := runWith("", append([]string{"qmp"}, args...)...)
			rest := r.out
			for _, part := range c.out {
				_, after, ok := strings.Cut(rest, part)
				if !ok {
					t.Errorf("there is no %s where it should be", part)
				}
				rest = after
			}
			if r.status != c.status || !says(r.err, c.err) || strings.Count(r.out, "\n") != len(c.out) {
				t.Errorf("status %d\nout: %s\nerr: %s", r.status, r.out, r.err)
			}
		})
	}
}

// someEvents are what a server sends before it answers device_del.
func someEvents() string {
	return eventLine("STOP", "") + deletedEvent + eventLine("DEVICE_DELETED", `{"n": {"m": 5}}`) + eventLine("RESUME", "")
}

// A cue is an output that ends a context when a text is written to it.
type cue struct {
	strings.Builder
	text string
	end  context.CancelCauseFunc
}

func (c *cue) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.text) {
		c.end(errTimeout)
	}
	return c.Builder.Write(p)
}

// When the time is over, that fails only what was waited for.
func TestQMPEventsInTime(t *testing.T) {
	for _, c := range []struct {
		wait   string
		status int
		err    string
	}{
		{"", 0, ""},
		{"DEVICE_DELETED,device=d1", 1, "backplane qmp: waiting for DEVICE_DELETED,device=d1: the time given by --timeout is over\n"},
	} {
		s := newQMPServer(t)
		s.events["device_del"] = someEvents()
		options := qmpOptions{compact: true, events: true}
		if c.wait != "" {
			if err := options.wait.Set(c.wait); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		out, errs := &cue{text: "RESUME", end: cancel}, new(strings.Builder)
		status := talkQMP(ctx, address{network: "unix", where: s.path}, []string{"device_del", "id=d0"}, options, stdio{nil, out, errs})
		cancel(nil)
		if status != c.status || errs.String() != c.err || strings.Count(out.String(), "\n") != 5 {
			t.Errorf("--wait %s: status %d\nout: %s\nerr: %s", c.wait, status, out, errs)
		}
	}
}

func eventLine(name, data string) string {
	if data != "" {
		data = `, "data": ` + data
	}
	return `{"timestamp": {"seconds": 5, "microseconds": 6}, "event": "` + name + `"` + data + "}\r\n"
}

func TestQMPEventsWithoutCommand(t *testing.T) {
	s := newQMPServer(t)
	s.events["qmp_capabilities"] = deletedEvent
	r := runWith("device_del id=no\n", "qmp", s.path, "--wait", "DEVICE_DELETED")
	if r.status != 0 || !same(t, r.out, deletedEvent) || s.commands() != "" {
		t.Errorf("%+v, the server was asked %s", r, s.commands())
	}
}

func TestQMPScript(t *testing.T) {
	s := newQMPServer(t)
	r := runWith(`
		# a comment
		query-status
		device_del id="d 0"
		{"execute": "query-name"}
		bad "quote
		foo
		query-name`, "qmp", "--compact", s.path)
	const out = `{"status": "running", "running": true}` + "\n{}\n{}\n{}\n"
	const errs = "backplane qmp: a quote is not closed\nCommandNotFound: The command foo has not been found\n"
	if r != (result{1, out, errs}) {
		t.Errorf("%+v", r)
	}
	if got, want := s.commands(), "query-status\ndevice_del {\"id\": \"d 0\"}\nquery-name\nfoo\nquery-name"; got != want {
		t.Errorf("the server was asked\n%s", got)
	}
	if r := runWith("query-name\n", "qmp", s.path); r != (result{0, "{}\n", ""}) {
		t.Errorf("%+v", r)
	}
}

func TestQMPServerGoes(t *testing.T) {
	s := newQMPServer(t)
	s.hangUpAt = "quit"
	if r := runWith("quit\n", "qmp", s.path); r != (result{0, "{}\n", ""}) {
		t.Errorf("quit: %+v", r)
	}
	r := runWith("quit\nquery-name\nquery-name\n", "qmp", s.path)
	if r.status != statusUsage || !strings.Contains(r.err, "query-name: qmp: connection closed") || strings.Count(r.err, "\n") != 1 {
		t.Errorf("after quit: %+v", r)
	}
}

func TestQMPTimeout(t *testing.T) {
	s := newQMPServer(t)
	s.replies["query-name"] = "silence"
	r := runWith("", "qmp", "--timeout", "50ms", s.path, "query-name")
	if r.status != 2 || r.out != "" || !strings.Contains(r.err, errTimeout.Error()) {
		t.Errorf("%+v", r)
	}
}
