package qmptest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Check is a short conversation that every QMP server holds alike, with a
// fresh connection.
type Check struct {
	Name string
	// Raw is set if Send begins before negotiation; else the client negotiates
	// first, with out-of-band execution if OOB is set.
	Raw, OOB bool
	Send     string
	Want     []string // the replies, after [Redact], without events
}

// Conformance returns the checks: negotiation, the members of requests, ids,
// and QEMU's dialect of JSON with what comes after a mistake.
func Conformance() []Check { return append(wireChecks(), requestChecks()...) }

const (
	yes      = `{"return": {}}`
	jsonErr  = `{"error": {"class": "GenericError", "desc": "JSON parse error, %s"}}`
	generic  = `{"error": {"class": "GenericError", "desc": "%s"}}`
	notFound = `{"error": {"class": "CommandNotFound", "desc": "%s"}}`
	early    = "Expecting capabilities negotiation with 'qmp_capabilities'"
)

func bad(format string, text string) string { return fmt.Sprintf(format, text) }

// requestChecks are about messages that are JSON.
func requestChecks() []Check {
	return []Check{
		{Name: "early command", Raw: true, Send: `{"execute": "query-version"}`, Want: []string{bad(notFound, early)}},
		{Name: "early unknown command", Raw: true, Send: `{"execute": "no-such"}`, Want: []string{bad(notFound, early)}},
		{Name: "early mistake", Raw: true, Send: `{"execute": 1}`, Want: []string{bad(generic, "QMP input member 'execute' must be a string")}},
		{Name: "negotiation", Raw: true, Send: `{"execute": "qmp_capabilities", "arguments": {"enable": []}}`, Want: []string{yes}},
		{Name: "unknown capability", Raw: true, Send: `{"execute": "qmp_capabilities", "arguments": {"enable": ["zz"]}}`,
			Want: []string{bad(generic, "Parameter 'null' does not accept value 'zz'")}},
		{Name: "negotiation again", Send: `{"execute": "qmp_capabilities"}`,
			Want: []string{bad(notFound, "Capabilities negotiation is already complete, command ignored")}},
		{Name: "no object", Send: `[] 1 "a" null`, Want: []string{
			bad(generic, "QMP input must be a JSON object"), bad(generic, "QMP input must be a JSON object"),
			bad(generic, "QMP input must be a JSON object"), bad(generic, "QMP input must be a JSON object")}},
		{Name: "no command", Send: `{}`, Want: []string{bad(generic, "QMP input lacks member 'execute'")}},
		{Name: "unexpected member", Send: `{"execute": "query-version", "foo": 1}`, Want: []string{bad(generic, "QMP input member 'foo' is unexpected")}},
		{Name: "arguments no object", Send: `{"execute": "query-version", "arguments": []}`,
			Want: []string{bad(generic, "QMP input member 'arguments' must be an object")}},
		{Name: "unknown command", Send: `{"execute": "no-such"}`, Want: []string{bad(notFound, "The command no-such has not been found")}},
		{Name: "unknown argument", Send: `{"execute": "query-name", "arguments": {"a": 1}}`, Want: []string{bad(generic, "Parameter 'a' is unexpected")}},
		{Name: "missing argument", Send: `{"execute": "device_del"}`, Want: []string{bad(generic, "Parameter 'id' is missing")}},
		{Name: "argument of the wrong type", Send: `{"execute": "device_del", "arguments": {"id": 5}}`,
			Want: []string{bad(generic, "Invalid parameter type for 'id', expected: string")}},
		{Name: "out of band, not negotiated", Send: `{"exec-oob": "query-name"}`, Want: []string{bad(generic, "QMP input member 'exec-oob' is unexpected")}},
		{Name: "out of band", OOB: true, Send: `{"exec-oob": "query-name"}`, Want: []string{bad(generic, "The command query-name does not support OOB")}},
		{Name: "both verbs", OOB: true, Send: `{"execute": "query-name", "exec-oob": "query-name"}`,
			Want: []string{bad(generic, "QMP input member 'execute' clashes with 'exec-oob'")}},
		{Name: "ids of every type", Send: `{"execute": "query-name", "id": null} {"execute": "query-name", "id": [1, {"a": "b"}]} {"execute": "query-name", "id": -7}` +
			`{"execute": "no-such", "id": true}`, Want: []string{`{"return": {}, "id": null}`, `{"return": {}, "id": [1, {"a": "b"}]}`, `{"return": {}, "id": -7}`,
			`{"id": true, "error": {"class": "CommandNotFound", "desc": "The command no-such has not been found"}}`}},
	}
}

// wireChecks are about bytes. What follows a mistake is part of each: the
// server goes on where QEMU does.
func wireChecks() []Check {
	ask, none := `{"execute": "query-name"}`, yes
	return []Check{
		{Name: "no separators", Send: ask + ask, Want: []string{none, none}},
		{Name: "single quotes", Send: `{'execute': 'query-name', 'id': 'it\'s'}`, Want: []string{`{"return": {}, "id": "it's"}`}},
		{Name: "escapes", Send: `{"execute": "query-name", "id": "\u00e9\n\ud83d\ude00\/"}`, Want: []string{`{"return": {}, "id": "\u00E9\n\uD83D\uDE00/"}`}},
		{Name: "numbers", Send: `{"execute": "query-name", "id": [9223372036854775807, 18446744073709551615, 1e3, 0.1]}`,
			Want: []string{`{"return": {}, "id": [9223372036854775807, 18446744073709551615, 1000, 0.10000000000000001]}`}},
		{Name: "resynchronisation", Send: `{"execute": "quer` + "\xff" + ask, Want: []string{bad(jsonErr, `stray '\"quer\uFFFD'`), none}},
		{Name: "control byte", Send: "\x01" + ask, Want: []string{bad(jsonErr, `stray '\u0001'`), none}},
		{Name: "invalid UTF-8", Send: "{\"execute\": \"\xc3(\"}" + ask, Want: []string{bad(jsonErr, "invalid UTF-8 sequence in string"), none}},
		{Name: "lone surrogate", Send: `["\ud800"]` + ask, Want: []string{bad(jsonErr, `\\ud800 is not a valid Unicode character`), none}},
		{Name: "bad escape", Send: `["\q"]` + ask, Want: []string{bad(jsonErr, "invalid escape sequence in string"), none}},
		{Name: "duplicate key", Send: `{"a": 1, "a": 2}` + ask, Want: []string{bad(jsonErr, "duplicate key"), none}},
		{Name: "key no string", Send: `{1: 2}` + ask, Want: []string{bad(jsonErr, "key is not a string in object"), none}},
		{Name: "colon missing", Send: `{"a" 1}` + ask, Want: []string{bad(jsonErr, "missing : in object pair"), none}},
		{Name: "comma missing", Send: `{"a": 1 "b": 2}` + ask, Want: []string{bad(jsonErr, "expected separator in dict"), none}},
		{Name: "comma missing in a list", Send: `[1 2]` + ask, Want: []string{bad(jsonErr, "expected separator in list"), none}},
		{Name: "keyword", Send: `[nul]` + ask, Want: []string{bad(jsonErr, "invalid keyword 'nul'"), none}},
		{Name: "leading zero", Send: `{"x":01}` + ask, Want: []string{bad(jsonErr, "stray '01'"), bad(jsonErr, "expecting value"), none}},
		{Name: "closing what is not open", Send: `]` + ask, Want: []string{bad(jsonErr, "expecting value"), none}},
		{Name: "nesting", Send: strings.Repeat("[", 1024) + strings.Repeat("]", 1024) + ask,
			Want: []string{bad(generic, "QMP input must be a JSON object"), none}},
		{Name: "too deep", Send: strings.Repeat("[", 1025) + ask, Want: []string{bad(generic, "JSON nesting depth limit exceeded"), none}},
	}
}

// patience bounds the wait for a reply of a server that owes one.
const patience = 10 * time.Second

// Run holds the conversation with a server that has just been connected to,
// and returns the first difference. It closes conn.
func (c Check) Run(ctx context.Context, conn net.Conn) error {
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	r := bufio.NewReader(conn)
	if line, err := nextLine(r); err != nil || !strings.HasPrefix(line, `{"QMP": {"version": `) {
		return fmt.Errorf("the greeting is %q (%w)", line, err)
	}
	send, want := c.Send, c.Want
	switch {
	case c.OOB:
		send, want = `{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}`+send, append([]string{yes}, want...)
	case !c.Raw:
		send, want = `{"execute": "qmp_capabilities"}`+send, append([]string{yes}, want...)
	}
	// What is sent last has an answer of its own, so that replies too many show.
	const last = `{"execute": "qmp_capabilities", "arguments": 1, "id": "last"}`
	want = append(want[:len(want):len(want)], `{"id": "last", "error": {"class": "GenericError", "desc": "QMP input member 'arguments' must be an object"}}`)
	var sent sync.WaitGroup
	defer sent.Wait()
	defer conn.Close()
	sent.Go(func() {
		_, _ = conn.Write([]byte(send + last)) // an error shows as a reply that is missing
	})
	for i, w := range want {
		got, err := nextLine(r)
		if err != nil {
			return fmt.Errorf("reply %d: %w", i+1, err)
		}
		if got != w {
			return fmt.Errorf("reply %d is %s, want %s", i+1, got, w)
		}
	}
	return nil
}

// nextLine returns the next line that is no event, after Redact.
func nextLine(r *bufio.Reader) (string, error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, `{"timestamp"`) {
			return string(Redact([]byte(strings.TrimRight(line, "\r\n")))), err
		}
	}
}

// TestConformance makes every check a subtest on a connection of its own, one
// after the other.
func TestConformance(t *testing.T, dial func() (net.Conn, error)) {
	for _, c := range Conformance() {
		t.Run(c.Name, func(t *testing.T) {
			conn, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Run(t.Context(), conn); err != nil {
				t.Error(err)
			}
		})
	}
}
