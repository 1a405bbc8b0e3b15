package monitor_test

import (
	"bufio"
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/api"
)

// heap is how much memory is in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestUnreadSchemas: a hundred clients that do not read have each asked for the
// schema eight times. Eighty megabytes wait, and none of them in memory.
func TestUnreadSchemas(t *testing.T) {
	const clients, each = 100, 8
	g := start(t, 0)
	watcher := g.dial(t.Context())
	text := `{"execute": "qmp_capabilities"}` + strings.Repeat(`{"execute": "query-qmp-schema"}`, each)
	var all []*slow
	before := heap()
	for range clients {
		s := &slow{Conn: g.socket()}
		if _, err := s.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	wait := int64(each * len(api.IntrospectionJSON) / 2) // the rest is in sockets
	for waiting := 0; waiting < clients; {
		waiting = 0
		for _, m := range g.stalls(t.Context(), watcher).Monitors {
			if m.Unread > wait && m.Queued == 0 && m.Command == nil {
				waiting++
			}
		}
	}
	after := heap()
	t.Logf("%d KB a client, of %d KB that wait", (after-before)/clients>>10, wait>>10)
	if (after-before)/clients > 256<<10 {
		t.Errorf("%d bytes in use for each client", (after-before)/clients)
	}
	schema := `{"return": ` + api.IntrospectionJSON + "}\r\n"
	for _, s := range all {
		r := bufio.NewReaderSize(s, 1<<20)
		for i := range each + 2 {
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if i >= 2 && line != schema {
				t.Fatalf("a reply of %d bytes, want %d", len(line), len(schema))
			}
		}
	}
}

// TestMalformedLines: what a client sends that is no JSON is answered and leaves
// nothing behind.
func TestMalformedLines(t *testing.T) {
	g := start(t, 0)
	k := g.talk()
	lines := "{\"execute\": \xff\n[[[}\n\"\xc3(\"\n{\"a\": 1, \"a\": 2}\n{1: 2}\n01]\nnul\n\x01\n"
	send := func(n int) int64 {
		var sender sync.WaitGroup
		defer sender.Wait()
		sender.Go(func() {
			for range n / 8 {
				fmt.Fprint(k, lines) // an error shows as a missing answer
			}
			fmt.Fprint(k, `{"execute": 1, "id": "end"}`)
		})
		for !strings.HasPrefix(k.next(), `{"id": "end"`) {
		}
		return heap()
	}
	before := send(8_000)
	if grown := send(80_000) - before; grown > 256<<10 {
		t.Errorf("the heap has grown by %d bytes", grown)
	}
}

// TestNothingIsTorn: large replies, what comes out of band and events reach a
// slow reader whole, replies in their order and events in theirs.
func TestNothingIsTorn(t *testing.T) {
	const rounds = 40
	g := start(t, 0)
	k := g.talk()
	other := g.talk()
	var senders sync.WaitGroup
	senders.Go(func() {
		for i := range rounds {
			fmt.Fprintf(k, `{"execute": "query-qmp-schema", "id": %d}{"exec-oob": "x-query-stalls", "id": "oob%d"}`, i, i)
		}
	})
	senders.Go(func() {
		for range rounds {
			for _, name := range []string{"stop", "cont"} {
				if got := other.ask(`{"execute": "` + name + `"}`); got != `{"return": {}}` {
					t.Error(got)
				}
			}
		}
	})
	schema := []byte(`{"return": ` + api.IntrospectionJSON + `, "id": `)
	replies, overtakers, events := 0, 0, 0
	for replies < rounds || overtakers < rounds || events < 2*rounds {
		if err := k.SetDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		line, err := k.r.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		text := strings.TrimRight(string(line[max(0, len(line)-40):]), "\r\n")
		switch {
		case bytes.HasPrefix(line, schema) && strings.HasSuffix(text, fmt.Sprintf(`, "id": %d}`, replies)):
			replies++
		case strings.HasSuffix(text, fmt.Sprintf(`, "id": "oob%d"}`, overtakers)) && len(line) < 10_000:
			overtakers++
		case bytes.HasPrefix(line, []byte(`{"timestamp": {"seconds": `)) && len(line) < 200 &&
			strings.HasSuffix(text, map[int]string{0: `"STOP"}`, 1: `"RESUME"}`}[events%2]):
			events++
		default:
			t.Fatalf("after %d replies, %d out of band and %d events: %d bytes, %.80s … %s", replies, overtakers, events, len(line), line, text)
		}
	}
	senders.Wait()
}
