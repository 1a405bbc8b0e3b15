package measure

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/guest/demo"
)

func TestSummarise(t *testing.T) {
	for _, c := range []struct {
		samples []float64
		want    Stat
	}{
		{nil, Stat{}},
		{[]float64{3}, Stat{1, 3, 3, 3}},
		{[]float64{4, 1}, Stat{2, 2.5, 1, 4}},
		{[]float64{9, 1, 5}, Stat{3, 5, 1, 9}},
	} {
		if got := Summarise(c.samples); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.samples, got, c.want)
		}
	}
}

func TestTenths(t *testing.T) {
	samples := make([]float64, 30)
	for i := range samples {
		samples[i] = float64(i)
	}
	first, last := Tenths(samples)
	if fmt.Sprint(first, last) != "[0 1 2] [27 28 29]" {
		t.Errorf("%v %v", first, last)
	}
	if first, last := Tenths([]float64{1, 2}); fmt.Sprint(first, last) != "[1] [2]" {
		t.Errorf("of two: %v %v", first, last)
	}
}

func TestPorts(t *testing.T) {
	ports, flags := Ports(10)
	all := strings.Join(flags, " ")
	if len(ports) != 10 || ports[9] != (Port{"rp9", 10}) || !strings.HasSuffix(all, "id=rp9,chassis=1,slot=10,multifunction=on,addr=2.1") {
		t.Errorf("%v: %s", ports, all)
	}
}

// ticks is a clock that tests set.
type ticks int64

func (c *ticks) now() int64 { return int64(*c) }

func (c *ticks) write(l *Log, at ticks, text string) {
	*c = at
	fmt.Fprint(l, text)
}

const presence = "[0.000100] hart0: presence port=00:01.0 slot=1 plug=1\n"

func TestLogTakesLinesInPieces(t *testing.T) {
	var clock ticks
	l := NewLog(clock.now)
	all := func(demo.Line) bool { return true }
	clock.write(l, 1, "\n[0.000100] hart0: pres")
	if got := l.Since(0, all); len(got) != 0 {
		t.Errorf("half a line: %v", got)
	}
	clock.write(l, 200_000, "ence slot=1\r\nnot of ours\n[0.000200] hart1: up slot=1\n")
	got := l.Since(0, all)
	if len(got) != 2 || got[0].Event != "presence" || got[1].Event != "up" || got[0].Arrived != 200_000 || l.Cursor() != 2 {
		t.Errorf("%+v", got)
	}
	if got := l.Since(1, all); len(got) != 1 {
		t.Errorf("behind the first: %v", got)
	}
	clock.write(l, 300_000, strings.Repeat("x", 1<<20)+"\n"+presence)
	if len(l.partial) > 2<<20 || len(l.Since(2, all)) != 1 {
		t.Error("a line after an endless one was not read")
	}
}

// The line that came through fastest tells the distance between the clocks.
func TestLogTime(t *testing.T) {
	var clock ticks
	l := NewLog(clock.now)
	clock.write(l, 150_000, presence) // 50 us after it was said
	first, err := l.Wait(t.Context(), 0, (Port{Slot: 1}).about("presence"))
	if err != nil || first.Time != 150_000 {
		t.Fatal(first, err)
	}
	clock.write(l, 210_000, "[0.000200] hart0: up port=00:01.0 slot=1\n") // 10 us
	if l.Retime(&first); first.Time != 110_000 || first.Arrived != 150_000 {
		t.Errorf("%+v", first)
	}
	clock.write(l, 900_000, "[0.000000] hart0: boot format=1\n") // another run of the guest
	if e := l.Since(2, func(demo.Line) bool { return true }); e[0].Time != 900_000 {
		t.Errorf("%+v", e)
	}
}

func TestLogForgets(t *testing.T) {
	var clock ticks
	l := NewLog(clock.now)
	for range 3 * logSize {
		clock.write(l, 0, presence)
	}
	if n := len(l.Since(0, func(demo.Line) bool { return true })); n < logSize || n > 2*logSize || l.Cursor() != 3*logSize {
		t.Errorf("%d lines kept, cursor %d", n, l.Cursor())
	}
}

func TestLogFailures(t *testing.T) {
	var clock ticks
	l := NewLog(clock.now)
	for range 2 * maxFailures {
		clock.write(l, 0, "[0.000100] hart0: error what=test\n")
	}
	if n := len(l.Failures()); n != maxFailures {
		t.Errorf("%d failures kept", n)
	}
}

func TestLogWait(t *testing.T) {
	var clock ticks
	l := NewLog(clock.now)
	never := (Port{Slot: 7}).about("")
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, errors.New("enough"))
	defer cancel()
	if _, err := l.Wait(ctx, 0, never); err == nil || err.Error() != "enough" {
		t.Errorf("waited in vain: %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := l.Wait(t.Context(), 0, never)
		done <- err
	}()
	clock.write(l, 0, presence)
	l.End()
	if err := <-done; !errors.Is(err, ErrLogEnded) {
		t.Errorf("after the end: %v", err)
	}
}

func TestConfirmed(t *testing.T) {
	line := func(s string) Entry {
		l, err := demo.ParseLine(s)
		if err != nil {
			t.Fatal(err)
		}
		return Entry{Line: l}
	}
	good := func() *Cycle {
		return &Cycle{
			Read:     line("[0.000100] hart0: first-read sum=ok"),
			Verified: line("[0.000100] hart0: write-verify result=ok"),
			Removed:  line("[0.000100] hart0: removed surprise=0"),
		}
	}
	for _, c := range []struct {
		spoil func(*Cycle)
		want  string
	}{
		{func(*Cycle) {}, ""},
		{func(c *Cycle) { c.Read = line("[0.000100] hart0: first-read sum=bad") }, "first sector"},
		{func(c *Cycle) { c.Verified = line("[0.000100] hart0: write-verify result=bad") }, "read back"},
		{func(c *Cycle) { c.Removed = line("[0.000100] hart0: removed surprise=1") }, "without being let go"},
		{func(c *Cycle) { c.Lines = []Entry{line("[0.000100] hart0: error what=x")} }, "the guest says"},
		{func(c *Cycle) { *c = Cycle{} }, "checksum"},
	} {
		cycle := good()
		c.spoil(cycle)
		if err := cycle.Confirmed(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// A program that is no machine: what it says is in the error, and nobody waits.
func TestEmulatorThatFails(t *testing.T) {
	var clock ticks
	e := &Emulator{Name: "sh", Program: "/bin/sh", Dir: t.TempDir(), Clock: clock.now}
	if p, err := e.Start(t.Context()); err == nil {
		p.kill()
		t.Error("a shell was taken for a machine")
	} else if !strings.Contains(err.Error(), "sh did not start") || !strings.Contains(err.Error(), "it said:") {
		t.Error(err)
	}
	if _, err := e.Greeting(t.Context()); err == nil || !strings.Contains(err.Error(), "did not greet") {
		t.Error(err)
	}
	e.Program = "/there/is/none"
	if _, err := e.Start(t.Context()); err == nil {
		t.Error("a program that is not there was started")
	}
	if _, err := e.Greeting(t.Context()); err == nil {
		t.Error("a program that is not there greeted")
	}
}
