package monitor_test

import (
	"bufio"
	"testing"
)

// BenchmarkQueryStatus is a round trip over a unix socket without a client
// that reads JSON: what is counted is the monitor's.
func BenchmarkQueryStatus(b *testing.B) { benchmarkCommand(b, `{"execute": "query-status", "id": 1}`) }

// BenchmarkFailingDeviceAdd is a command of the dispatcher's, with a grace
// period.
func BenchmarkFailingDeviceAdd(b *testing.B) { benchmarkCommand(b, stuck+"}") }

// BenchmarkSchema has a reply of a hundred kilobytes.
func BenchmarkSchema(b *testing.B) { benchmarkCommand(b, `{"execute": "query-qmp-schema"}`) }

func benchmarkCommand(b *testing.B, command string) {
	g := start(b, 1)
	conn := g.socket()
	r := bufio.NewReaderSize(conn, 1<<20)
	ask := func(text []byte) {
		if _, err := conn.Write(text); err != nil {
			b.Fatal(err)
		}
		if _, err := r.ReadSlice('\n'); err != nil {
			b.Fatal(err)
		}
	}
	ask([]byte(`{"execute": "qmp_capabilities"}`))
	if _, err := r.ReadSlice('\n'); err != nil {
		b.Fatal(err)
	}
	text := []byte(command)
	b.ReportAllocs()
	for b.Loop() {
		ask(text)
	}
}
