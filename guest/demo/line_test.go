package demo

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseLine(t *testing.T) {
	l, err := ParseLine("[12.000345] hart1: found port=00:01.0 slot=7 plug=3 bdf=01:00.0 id=1af4:1042\r\n")
	if err != nil {
		t.Fatal(err)
	}
	if l.At != 12*time.Second+345*time.Microsecond || l.Hart != 1 || l.Event != EventFound || len(l.Fields) != 5 {
		t.Errorf("parsed as %+v", l)
	}
	if got := l.Get("id"); got != "1af4:1042" {
		t.Errorf("id=%q", got)
	}
	if n, ok := l.Uint("slot"); !ok || n != 7 {
		t.Errorf("slot=%d, %v", n, ok)
	}
	if _, ok := l.Uint("bdf"); ok {
		t.Error("bdf is not a number")
	}
	if _, ok := l.Uint("nothing"); ok || l.Get("nothing") != "" {
		t.Error("a field that is not there was found")
	}
}

func TestParseLineRefuses(t *testing.T) {
	for _, s := range []string{
		"",
		"\n",
		"boot",
		"[1.000000] hart0:",
		"[1.000000] hart0: ",
		"[1.000000] hart: boot",
		"[1.000000] hart-1: boot",
		"[1.00000] hart0: boot",
		"[1.0000000] hart0: boot",
		"[.000000] hart0: boot",
		"[-1.000000] hart0: boot",
		"[1234567890.000000] hart0: boot",
		"[1.000000] hart0: Boot",
		"[1.000000] hart0: -boot",
		"[1.000000] hart0: boot  format=1",
		"[1.000000] hart0: boot format",
		"[1.000000] hart0: boot format=",
		"[1.000000] hart0: boot =1",
		"[1.000000] hart0: boot format=1 ",
		"[1.000000] hart0: boot format=\x01",
		"[0.0825[0.001688] hart0: boot format=1", // torn by a reset
		"[1.000000] hart0: boot format=" + strings.Repeat("1", LineMax),
	} {
		if l, err := ParseLine(s); err == nil {
			t.Errorf("%q parsed as %+v", s, l)
		}
	}
}

func TestLineFailed(t *testing.T) {
	for s, want := range map[string]bool{
		"[0.000000] hart0: boot format=1":                     false,
		"[0.000000] hart0: error what=link":                   true,
		"[0.000000] hart0: panic what=trap":                   true,
		"[0.000000] hart0: error what=interrupt-storm irq=35": false,
		"[0.000000] hart0: first-read sum=ok":                 false,
		"[0.000000] hart0: first-read sum=blank":              false,
		"[0.000000] hart0: first-read sum=bad":                true,
		"[0.000000] hart0: first-read sum=error":              true,
		"[0.000000] hart0: write-verify result=ok":            false,
		"[0.000000] hart0: write-verify result=bad":           true,
		"[0.000000] hart0: io reads=1 errors=0":               false,
		"[0.000000] hart0: io reads=1 errors=2":               true,
	} {
		l, err := ParseLine(s)
		if err != nil {
			t.Fatal(err)
		}
		if l.Failed() != want {
			t.Errorf("%q: Failed is %v", s, !want)
		}
	}
}

// testdata/qemu.log is the log of a run on QEMU: a disk and a random number
// generator plugged and unplugged.
func TestParseRecordedLog(t *testing.T) {
	text, err := os.ReadFile("testdata/qemu.log")
	if err != nil {
		t.Fatal(err)
	}
	var last time.Duration
	count := map[string]int{}
	for s := range strings.Lines(string(text)) {
		if s == "\n" {
			continue
		}
		l, err := ParseLine(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.String() + "\n"; got != s {
			t.Errorf("%q came back as %q", s, got)
		}
		if l.At < last {
			t.Errorf("time runs backwards at %q", s)
		}
		if l.Failed() {
			t.Errorf("a failure: %q", s)
		}
		last = l.At
		count[l.Event]++
	}
	want := map[string]int{
		EventBoot: 1, EventPort: 2, EventReady: 1, EventHartUp: 1, EventPresence: 2, EventPowerOn: 2,
		EventLinkUp: 2, EventFound: 3, EventDriverReady: 2, EventUp: 2, EventFirstRead: 1, EventWriteVerify: 1,
		EventRNGRead: 1, EventAttention: 2, EventQuiesced: 2, EventIO: 2, EventPowerOff: 2, EventRemoved: 2,
	}
	for event, n := range want {
		if count[event] != n {
			t.Errorf("%d lines of %s, want %d", count[event], event, n)
		}
	}
	if len(count) != len(want) {
		t.Errorf("events %v, want %v", count, want)
	}
}

func FuzzParseLine(f *testing.F) {
	f.Add("[0.001282] hart0: boot format=1 clock=10000000")
	f.Add("[8.015636] hart1: io port=00:01.0 slot=0 plug=1 bdf=01:00.0 reads=1 writes=2 bytes=3 errors=0\n")
	f.Add("[1.000000] hart0: x a==b")
	f.Add("[[1.0] hart: :")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLine(s)
		if err != nil {
			return
		}
		again, err := ParseLine(l.String())
		if err != nil {
			t.Fatalf("%q: what it was written as does not parse: %v", s, err)
		}
		if again.String() != l.String() {
			t.Fatalf("%q: %q became %q", s, l, again)
		}
	})
}
