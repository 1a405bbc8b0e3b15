package hmp

import (
	"bytes"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/hmp/readline"
)

// TestBackPressure pastes a line of the greatest length, whose redraws are
// megabytes: Feed stops while much of that waits.
func TestBackPressure(t *testing.T) {
	m := New((&machine{ready: true}).config(t))
	m.Open()
	m.Take()
	line := []byte(strings.Repeat("x", readline.MaxLine+1) + "\r")
	const redraw = 8 * (readline.MaxLine + 16) // one, with room
	stops, screen := 0, 0
	for p := line; len(p) > 0; stops++ {
		n, inv := m.Feed(p)
		if inv != nil {
			t.Fatal("a command of x's")
		}
		p = p[n:]
		if m.Wants() && len(p) > 0 {
			t.Fatal("stopped although more is wanted")
		}
		out := m.Take()
		if len(out) > maxPending+redraw {
			t.Fatalf("%d bytes at once", len(out))
		}
		screen += len(out)
	}
	if stops < 100 || screen < readline.MaxLine*readline.MaxLine/2 {
		t.Errorf("%d stops, %d bytes", stops, screen)
	}
}

// TestFeedStopsAtCommand: what is typed behind a command waits for its end.
func TestFeedStopsAtCommand(t *testing.T) {
	m := New((&machine{ready: true}).config(t))
	if n, inv := m.Feed([]byte("stop\r")); n != 0 || inv != nil || m.Wants() {
		t.Error("took input before a client came")
	}
	m.Open()
	input := []byte("\r nope\rstop\rcont\r")
	n, inv := m.Feed(input)
	if inv == nil || inv.Name() != "stop|s" || inv.Coroutine() || string(input[n:]) != "cont\r" {
		t.Fatalf("took %q", input[:n])
	}
	if n, again := m.Feed(input[n:]); n != 0 || again != nil || m.Wants() {
		t.Error("took input during a command")
	}
	if out := m.Take(); bytes.HasSuffix(out, []byte(Prompt)) {
		t.Errorf("a prompt during a command: %q", out)
	}
	inv.Run()
	if out := m.Take(); string(out) != Prompt {
		t.Errorf("after the command: %q", out)
	}
	if m.CPU() != NoCPU {
		t.Errorf("current CPU %d", m.CPU())
	}
}

func TestResumeTooOften(t *testing.T) {
	mach := &machine{ready: true}
	m := New(mach.config(t))
	m.Open()
	feed(m, []byte("sum 1 2\r"))
	mach.slow.Resume()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	mach.slow.Resume()
}

// TestNoHooks: a monitor without hooks completes names and refuses registers.
func TestNoHooks(t *testing.T) {
	cfg := (&machine{ready: true}).config(t)
	cfg.Hooks = Hooks{}
	m := New(cfg)
	m.Open()
	got := feed(m, []byte("p $pc\reject \t\"\t\x15info b\t\x15device_add \"\r"))
	for _, want := range []string{"unknown register\r\n", "info block ", "Try \"help device_add\""} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}
