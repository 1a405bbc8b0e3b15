package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const (
	hmpSynopsis = "[FLAG...] ADDRESS [LINE...]"
	hmpAbout    = `ADDRESS is the path of a unix socket, unix:PATH, tcp:HOST:PORT or HOST:PORT.

With LINE (words are joined by spaces), runs that command and prints what the
monitor prints. Without, at a terminal, the monitor has the terminal until
ctrl-]; its own editing and completion work. Else the lines of standard input
are run one after the other.

Exit status: 0 done, whatever the monitor said; 2 wrong usage, or no connection.
`
)

func runHMP(args []string, std stdio) int {
	var timeout time.Duration
	flags := newFlags("hmp")
	flags.DurationVar(&timeout, "timeout", 0, "give up after this `TIME`, such as 5s (default: never)")
	at, words, status, goOn := parseAround(flags, args, hmpAbout, std)
	if !goOn {
		return status
	}
	line := strings.Join(words, " ")
	if err := checkLine(line); err != nil {
		return refuse(std, flags.Name(), err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, errTimeout)
		defer cancel()
	}
	if err := talkHMP(ctx, at, line, len(words) > 0, std); err != nil {
		fmt.Fprintf(std.err, "backplane hmp: %v\n", err)
		return statusUsage
	}
	return statusOK
}

// talkHMP runs one line if there is one, else what comes from the input.
func talkHMP(ctx context.Context, at address, line string, oneLine bool, std stdio) error {
	in, out, ok := terminals(std.in, std.out)
	if ok && !oneLine {
		conn, err := dial(ctx, at, func(_ context.Context, conn net.Conn) (net.Conn, error) { return conn, nil })
		if err != nil {
			return err
		}
		defer conn.Close()
		return passThrough(ctx, conn, in, out)
	}
	m, err := dial(ctx, at, newMonitor)
	if err != nil {
		return err
	}
	defer m.close()
	if oneLine {
		return m.command(ctx, line, std)
	}
	lines := bufio.NewScanner(newInput(ctx, std.in, nil))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if err := checkLine(line); err != nil {
			return err
		}
		if err := m.command(ctx, line, std); err != nil {
			return err
		}
	}
	return lines.Err()
}

// checkLine refuses what the monitor's line editor would not take as text: a
// tab would complete, and a line feed would be a second command.
func checkLine(line string) error {
	if strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("the line has control characters in it")
	}
	return nil
}
