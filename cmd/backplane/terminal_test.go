package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns a pseudo-terminal: what is written to keys is typed,
// and what is printed comes to the screen. Terminals are part of Linux, so
// that a test can rely on them.
func openTerminal(t *testing.T) (tty, keys *os.File, shown *screen) {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: 100}); err != nil {
		t.Fatal(err)
	}
	shown = newScreen()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(shown, keys) // fails when the other end is closed: EIO
	}()
	t.Cleanup(func() {
		tty.Close()
		<-ended
		keys.Close()
	})
	return tty, keys, shown
}

// modes returns the settings of a terminal.
func modes(t *testing.T, tty *os.File) unix.Termios {
	t.Helper()
	m, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *m
}

// At a terminal the clients are interactive, and leave it as they found it.
func TestTerminal(t *testing.T) {
	q := newQMPServer(t)
	m := newHMPServer(t, func(*hmpServer) {})
	for _, c := range []struct {
		args   string
		script []string // what to wait for, what to type, in turns
	}{
		{"qmp " + q.path, []string{"(qmp) ", "query-nam\t\r", "{}\r\n(qmp) ", "half\x03\x04"}},
		{"hmp " + m.path, []string{"(qemu) ", "xyz\n", "unknown command: 'xyz'\r\n(qemu) ", "\x1d"}},
		{"hmp " + m.path, []string{"(qemu) ", "quit\n"}},
	} {
		tty, keys, shown := openTerminal(t)
		before := modes(t, tty)
		status := make(chan int, 1)
		go func() { status <- run(strings.Fields(c.args), tty, tty, tty) }()
		for i, text := range c.script {
			if i%2 == 0 {
				shown.expect(t, text)
			} else if _, err := keys.WriteString(text); err != nil {
				t.Fatal(err)
			}
		}
		if got := <-status; got != statusOK || modes(t, tty) != before {
			t.Errorf("%s: status %d, modes %+v, before %+v", c.args, got, modes(t, tty), before)
		}
		// The goroutine that reads keys ends at its next key.
		if _, err := keys.WriteString("\n"); err != nil && !errors.Is(err, syscall.EIO) {
			t.Error(err)
		}
	}
}

// A failed write is told, and fails the command.
func TestFullDisk(t *testing.T) {
	q := newQMPServer(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	var errs strings.Builder
	if status := run([]string{"qmp", q.path, "query-name"}, strings.NewReader(""), full, &errs); status != statusUsage || !strings.Contains(errs.String(), "no space left") {
		t.Errorf("status %d: %s", status, &errs)
	}
}
