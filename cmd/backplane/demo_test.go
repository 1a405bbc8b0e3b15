package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	guest "github.com/backplane-vm/backplane/guest/demo"
)

func TestDemoShowsATimeline(t *testing.T) {
	keep := filepath.Join(t.TempDir(), "kept")
	r := runWith("", "demo", "--cycles", "3", "--keep", keep)
	if r.status != statusOK || r.err != "" {
		t.Fatalf("status %d\n%s%s", r.status, r.out, r.err)
	}
	for _, want := range []string{ // of which the order is the machine's
		"guest    sees a card in slot 1", "guest    has read its first sector", "read back: ok", "guest    attention", "lets go",
		"machine  DEVICE_DELETED: finalised",
	} {
		if !strings.Contains(r.out, want) {
			t.Errorf("%q is not there:\n%s", want, r.out)
		}
	}
	at := 0
	for _, want := range []string{ // in this order
		"riscv64 virt, 2 harts", "The guest was up after",
		"client   blockdev-add", "client   device_add", "client   device_del", "client   blockdev-del",
		"plug reply", "\n      1 ", "held", "\n      2 ", "\n      3 ", "median", "min", "max",
		"0 bad (checked by the host)", "big lock", "grace periods", "instructions", "are in " + keep,
		"ok: 3 of 3 cycles confirmed by the guest",
	} {
		i := strings.Index(r.out[at:], want)
		if i < 0 {
			t.Fatalf("%q is not there, or too early:\n%s", want, r.out)
		}
		at += i + len(want)
	}
	if strings.Contains(r.out, "\x1b") {
		t.Errorf("in colour:\n%s", r.out)
	}
	log, err := os.ReadFile(filepath.Join(keep, "guest.log"))
	if err != nil || strings.Count(string(log), guest.EventRemoved) != 4 {
		t.Errorf("the guest's log: %v\n%s", err, log)
	}
}

func demoJSON(t *testing.T, o demoOptions) (demoDocument, int) {
	t.Helper()
	var out, err bytes.Buffer
	o.json = true
	status := demo(t.Context(), o, stdio{out: &out, err: &err})
	var doc demoDocument
	if e := json.Unmarshal(out.Bytes(), &doc); e != nil {
		t.Fatalf("%v\n%s%s", e, &out, &err)
	}
	return doc, status
}

func TestDemoJSON(t *testing.T) {
	const cycles = 2
	doc, status := demoJSON(t, demoOptions{cycles: cycles, harts: 1})
	if status != statusOK || !doc.OK || doc.Confirmed != cycles || doc.Asked != cycles || len(doc.Cycles) != cycles || len(doc.Problems) != 0 {
		t.Fatalf("status %d: %+v", status, doc)
	}
	for i, c := range doc.Cycles {
		if !c.Confirmed || c.Cycle != i+1 || c.FirstRead["sum"] != "ok" || c.Verified["result"] != "ok" || len(c.Steps) < 20 {
			t.Errorf("cycle %d: %+v", i+1, c)
		}
		if !slices.IsSortedFunc(c.Steps, func(a, b demoStepRecord) int { return int(a.At - b.At) }) {
			t.Errorf("cycle %d: steps are not in order", i+1)
		}
		for name, ns := range c.Phases {
			if ns <= 0 {
				t.Errorf("cycle %d: %s took %d ns", i+1, name, ns)
			}
		}
	}
	for _, p := range doc.Phases {
		if p.Min > p.Median || p.Median > p.Max || p.Min <= 0 {
			t.Errorf("%+v", p)
		}
	}
	if doc.Disk.Guest == 0 || doc.Disk.Bad != 0 || doc.Disk.Sectors != doc.Disk.Host+doc.Disk.Guest || doc.Busy.IO["errors"] != "0" {
		t.Errorf("disks %+v %+v", doc.Disk, doc.Busy)
	}
	if m := doc.Machine; m.Instructions == 0 || m.GracePeriods == 0 || m.BQLAcquired == 0 || m.BQLLongestHold <= 0 || m.BQLHolder == "" {
		t.Errorf("machine %+v", m)
	}
}

// spoil flips bits of a sector of an image.
func spoil(image string, sector int64) error {
	file, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteAt([]byte{0xff}, sector*guest.SectorSize+guest.SectorSize-1)
	return err
}

// A disk that does not hold ends in status 1, whoever notices: the guest, which
// reads sector 0 first, or the host, which reads all of it at the end.
func TestDemoCorruptDisk(t *testing.T) {
	for _, c := range []struct {
		name      string
		sector    int64
		confirmed int
		want      string
	}{
		{"first sector", 0, 1, "cycle 2: the first sector's checksum is \"bad\""},
		{"some sector", 5, 2, "1 bad (first: 5)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			doc, status := demoJSON(t, demoOptions{cycles: 2, harts: 2, before: func(cycle int, image string) error {
				if cycle == 1 {
					return nil
				}
				return spoil(image, c.sector)
			}})
			// The guest may chance upon the sector in either case.
			if status != statusFailed || doc.OK || doc.Confirmed > c.confirmed || !strings.Contains(strings.Join(doc.Problems, "\n"), c.want) {
				t.Errorf("status %d, %d confirmed, %q", status, doc.Confirmed, doc.Problems)
			}
		})
	}
}

// A cycle that cannot go on is told as far as it went.
func TestDemoStops(t *testing.T) {
	var out, err bytes.Buffer
	status := demo(t.Context(), demoOptions{cycles: 3, harts: 2, before: func(_ int, image string) error {
		return os.Remove(image)
	}}, stdio{out: &out, err: &err})
	if status != statusFailed || !strings.Contains(out.String(), "FAILED cycle 1: blockdev-add: Could not open") ||
		!strings.Contains(out.String(), "not ok: 0 of 3 cycles") {
		t.Errorf("status %d\n%s%s", status, &out, &err)
	}
}

func TestDemoInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var out, err bytes.Buffer
	status := demo(ctx, demoOptions{cycles: 1000, harts: 2, before: func(cycle int, _ string) error {
		if cycle == 3 {
			cancel()
		}
		return nil
	}}, stdio{out: &out, err: &err})
	if status != statusFailed || !strings.Contains(out.String(), "FAILED cycle 3: interrupted") {
		t.Errorf("status %d\n%s%s", status, &out, &err)
	}
}

func TestDemoRefusals(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   string
		status int
		err    string
	}{
		{"--cycles 0", statusUsage, "--cycles is from 1"},
		{"--harts 9", statusUsage, "--harts is from 1 to 8"},
		{"--harts many", statusUsage, "invalid value"},
		{"now", statusUsage, "no use for 'now'"},
		{"--keep " + file, statusFailed, "not a directory"},
	} {
		r := runWith("", append([]string{"demo"}, strings.Fields(c.args)...)...)
		if r.status != c.status || !strings.Contains(r.err, c.err) || r.out != "" {
			t.Errorf("demo %s: %d %s%s", c.args, r.status, r.out, r.err)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, fmt.Errorf("broken pipe") }

func TestDemoCannotPrint(t *testing.T) {
	for _, json := range []bool{false, true} {
		var err bytes.Buffer
		if status := demo(t.Context(), demoOptions{cycles: 1, harts: 2, json: json}, stdio{out: brokenPipe{}, err: &err}); status != statusFailed ||
			!strings.Contains(err.String(), "broken pipe") {
			t.Errorf("status %d: %s", status, &err)
		}
	}
}

func TestPaint(t *testing.T) {
	if got := paint(true).in(green, "x") + paint(false).in(green, "x"); got != "\x1b[32mx\x1b[0mx" {
		t.Errorf("%q", got)
	}
	if colorful(new(bytes.Buffer)) {
		t.Error("a buffer is no terminal")
	}
}

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := &progress{w: &b}
	p.clear()
	p.cycle(2, 9)
	p.waitFor("it")
	p.clear()
	p.clear()
	if want := eraseLine + "cycle 2 of 9: waiting for it" + eraseLine; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	silent := newProgress(&b)
	silent.waitFor("it")
	if silent.clear(); silent.w != nil {
		t.Error("a buffer is no terminal")
	}
}

func TestGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}
