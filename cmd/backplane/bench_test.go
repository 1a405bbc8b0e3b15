package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/measure"
)

// asProgram, in the environment, makes the test binary the program itself.
const asProgram = "BACKPLANE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// Every measurement, once, on this program and on QEMU, whose part goes without
// saying where there is no QEMU.
func TestBench(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many machines")
	}
	t.Setenv(asProgram, "1")
	names := []string{"query-status", "device_add", "device_add-fails", "start", "memory", "ports", "argument", "schema", "rate", "crowd", "bystander"}
	r := runWith("", append([]string{"bench", "--json", "--runs", "1", "--qemu", "none"}, names...)...)
	if r.status != statusOK || r.err != "" {
		t.Fatalf("status %d\n%s%s", r.status, r.out, r.err)
	}
	var doc benchDocument
	if err := json.Unmarshal([]byte(r.out), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Runs != 1 || !slices.Equal(doc.Sides, []string{"backplane " + productVersion}) {
		t.Errorf("%+v", doc)
	}
	var seen []string
	for _, row := range doc.Rows {
		if !slices.Contains(seen, row.Measurement) {
			seen = append(seen, row.Measurement)
		}
		if s := row.Sides[0]; s.Samples == 0 || s.Min <= 0 || s.Min > s.Median || s.Median > s.Max || row.Ratio != nil {
			t.Errorf("%+v", row)
		}
	}
	if !slices.Equal(seen, names) {
		t.Errorf("measured %v", seen)
	}
}

func TestBenchTable(t *testing.T) {
	t.Setenv(asProgram, "1")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := runWith("", "bench", "--runs", "1", "--qemu", program, "cycle") // itself, for want of another
	if r.status != statusOK || !strings.Contains(r.out, "QEMU "+productVersion+"    ratio\n") || strings.Count(r.out, "x\n") != 2 {
		t.Errorf("status %d\n%s%s", r.status, r.out, r.err)
	}
	r = runWith("", "bench", "--runs", "1", "--qemu", "none", "cycle")
	if r.status != statusOK || !strings.Contains(r.out, "plug to first sector read") || !strings.Contains(r.out, "unplug to DEVICE_DELETED") {
		t.Errorf("status %d\n%s%s", r.status, r.out, r.err)
	}
}

func TestBenchRefusals(t *testing.T) {
	for _, c := range []struct{ args, err string }{
		{"--runs 0", "--runs is from 1"},
		{"--runs x", "invalid value"},
		{"nothing", "there is no measurement 'nothing'"},
		{"--qemu /there/is/none", "no such file"},
	} {
		r := runWith("", append([]string{"bench"}, strings.Fields(c.args)...)...)
		if r.status != statusUsage || !strings.Contains(r.err, c.err) || r.out != "" {
			t.Errorf("bench %s: %d %s%s", c.args, r.status, r.out, r.err)
		}
	}
	help := runWith("", "bench", "-h")
	for _, m := range measure.Suite() {
		if !strings.Contains(help.out, "  "+m.Name+" ") {
			t.Errorf("help does not list %s", m.Name)
		}
	}
}

func TestBenchRows(t *testing.T) {
	var b bytes.Buffer
	text := &benchText{w: &b, progress: newProgress(&b)}
	text.rows([]benchRow{
		{Row: measure.Row{Name: "a", Unit: measure.Nanoseconds}, stats: []measure.Stat{{Median: 1500}, {Median: 3e6}}},
		{Row: measure.Row{Name: "b", Unit: measure.Bytes}, stats: []measure.Stat{{Median: 12 << 20}, {Median: 3 << 20}}},
		{Row: measure.Row{Name: "c", Unit: measure.Ratio}, stats: []measure.Stat{{Median: 1}, {Median: 2}}},
		{Row: measure.Row{Name: "d", Unit: measure.Nanoseconds}, stats: []measure.Stat{{Median: 2e9}}},
		{Row: measure.Row{Name: "e", Unit: measure.PerSecond}, stats: []measure.Stat{{Median: 3000}, {Median: 1000}}},
	})
	want := []string{"a 1.50 us 3.00 ms 2000x", "b 12.0 MiB 3.00 MiB 0.25x", "c 1.00 2.00", "d 2.00 s", "e 3000 /s 1000 /s 3.00x"}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	for i := range want {
		if i >= len(lines) || strings.Join(strings.Fields(lines[i]), " ") != want[i] {
			t.Fatalf("got\n%s\nwant %q", &b, want)
		}
	}
}
