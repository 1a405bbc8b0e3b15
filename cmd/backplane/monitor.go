package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// monitorPrompt is what a human monitor says when it waits for a line.
const monitorPrompt = "(qemu) "

// maxMonitorOutput bounds what one command may print. 'info mtree' and 'info
// qtree' of the largest machines stay far below it.
const maxMonitorOutput = 64 << 20

// A monitor is a connection to a human monitor that reads its output up to the
// next prompt. One goroutine at a time may use it.
type monitor struct {
	conn net.Conn
	gone bool // it has hung up
}

// newMonitor waits for the first prompt. conn belongs to the monitor, also if
// that fails.
func newMonitor(ctx context.Context, conn net.Conn) (*monitor, error) {
	m := &monitor{conn: conn}
	_, err := m.untilPrompt(ctx)
	if err == nil && m.gone {
		err = errors.New("the monitor hung up before its first prompt")
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return m, nil
}

func (m *monitor) close() { m.conn.Close() }

// command runs a line and prints what came of it. That the monitor hangs up
// behind it, as for 'quit', is no failure.
func (m *monitor) command(ctx context.Context, line string, std stdio) error {
	if m.gone {
		return fmt.Errorf("the monitor has hung up before '%s'", line)
	}
	if _, err := m.conn.Write([]byte(line + "\n")); err != nil {
		return err
	}
	text, err := m.untilPrompt(ctx)
	if err != nil {
		return err
	}
	_, err = io.WriteString(std.out, text)
	return err
}

// untilPrompt reads until the monitor waits at its prompt or hangs up, and
// returns what it printed between: the first line is the echo of what was
// typed, with the line editor's escape sequences, and not part of it.
func (m *monitor) untilPrompt(ctx context.Context) (string, error) {
	stop := context.AfterFunc(ctx, func() { _ = m.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var output []byte
	buf := make([]byte, 64<<10)
	for !atPrompt(output) {
		n, err := m.conn.Read(buf)
		output = append(output, buf[:n]...)
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case len(output) > maxMonitorOutput:
			return "", errors.New("the monitor prints without end")
		case err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET):
			return "", err
		case err != nil:
			m.gone = true
			return printed(output), nil
		}
	}
	return printed(bytes.TrimSuffix(output, []byte(monitorPrompt))), nil
}

// atPrompt tells whether the output so far ends in a prompt at the start of a
// line of its own.
func atPrompt(output []byte) bool {
	before, ok := bytes.CutSuffix(output, []byte(monitorPrompt))
	return ok && bytes.HasSuffix(before, []byte("\n"))
}

// printed takes the echo away and makes line ends the host's.
func printed(output []byte) string {
	_, text, _ := strings.Cut(string(output), "\n")
	return strings.ReplaceAll(text, "\r\n", "\n")
}

// keyEscape is ctrl-], as telnet has it.
const keyEscape = 0x1d

// passThrough gives a monitor the terminal until ctrl-], or until it hangs up.
func passThrough(ctx context.Context, conn net.Conn, in, out *os.File) error {
	restore, err := rawMode(in)
	if err != nil {
		return err
	}
	defer restore()
	fmt.Fprint(out, "Connected; ctrl-] ends.\r\n")
	err = relay(ctx, conn, in, out)
	fmt.Fprint(out, "\r\n")
	return err
}

// relay copies keys to a monitor and its output back, until ctrl-] or the end
// of either side. It closes conn.
func relay(ctx context.Context, conn net.Conn, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	keys := newInput(ctx, in, nil)
	outputEnded := make(chan error, 1)
	go func() {
		_, err := io.Copy(out, conn)
		cancel()
		outputEnded <- err
	}()
	quit := copyKeys(conn, keys)
	conn.Close()
	err := <-outputEnded
	if quit || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// copyKeys copies until ctrl-] (then it returns true) or an end.
func copyKeys(conn io.Writer, keys io.Reader) (quit bool) {
	buf := make([]byte, 4096)
	for {
		n, err := keys.Read(buf)
		typed, _, quit := bytes.Cut(buf[:n], []byte{keyEscape})
		if _, werr := conn.Write(typed); werr != nil {
			err = werr
		}
		if quit || err != nil {
			return quit
		}
	}
}
