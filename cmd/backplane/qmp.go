package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

const (
	qmpSynopsis = "[FLAG...] ADDRESS [COMMAND [ARG...]]"
	qmpAbout    = `ADDRESS is the path of a unix socket, unix:PATH, tcp:HOST:PORT or HOST:PORT.

With COMMAND, runs it and prints its reply. An ARG is NAME=VALUE, typed as the
server's schema says (a.b=VALUE inside an object, a.0=VALUE in a list, sizes as
512M), or NAME:=JSON; one JSON object may stand for all of them, and
{"execute": ...} for the command too.
Without COMMAND, reads commands from standard input, one a line: at a terminal
with completion (Tab) and help, else until the input ends or the server goes.

Exit status: 0 done; 1 a command failed, or the event did not come in time;
2 wrong usage, or no connection.
`
)

// errTimeout is the cause when --timeout is over.
var errTimeout = errors.New("the time given by --timeout is over")

// qmpOptions are the flags of 'backplane qmp'.
type qmpOptions struct {
	compact, events, oob bool
	wait                 eventFilter
	timeout              time.Duration
}

func (o *qmpOptions) declare(flags *flag.FlagSet) {
	flags.BoolVar(&o.compact, "compact", false, "print replies on one line")
	flags.BoolVar(&o.events, "events", false, "print events, one a line, until --wait, --timeout or the server ends it")
	flags.BoolVar(&o.oob, "oob", false, "run COMMAND out of band, past those under way")
	flags.Var(&o.wait, "wait", "`EVENT[,NAME=VALUE...]`: wait for such an event and print it")
	flags.DurationVar(&o.timeout, "timeout", 0, "give up after this `TIME`, such as 5s (default: never)")
}

func runQMP(args []string, std stdio) int {
	var options qmpOptions
	flags := newFlags("qmp")
	options.declare(flags)
	at, words, status, goOn := parseAround(flags, args, qmpAbout, std)
	if !goOn {
		return status
	}
	if options.oob && len(words) == 0 {
		return refuse(std, flags.Name(), errors.New("--oob needs a COMMAND"))
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if options.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, options.timeout, errTimeout)
		defer cancel()
	}
	return talkQMP(ctx, at, words, options, std)
}

// talkQMP connects, does what the command line asks for until ctx ends, and
// returns the exit status.
func talkQMP(ctx context.Context, at address, words []string, options qmpOptions, std stdio) int {
	client, err := dial(ctx, at, func(ctx context.Context, conn net.Conn) (*qmp.Client, error) {
		return qmp.NewClient(ctx, conn)
	})
	if err != nil {
		fmt.Fprintf(std.err, "backplane qmp: %v\n", err)
		return statusUsage
	}
	defer client.Close()
	s := &qmpSession{client, newVocabulary(client), options, std}
	return s.run(ctx, words)
}

// parseAround reads flags before and after the address, those for TLS among
// them, and returns the address and the words behind.
func parseAround(flags *flag.FlagSet, args []string, about string, std stdio) (at address, words []string, status int, goOn bool) {
	var tls tlsOptions
	tls.declare(flags)
	if status, goOn = parse(flags, args, about, std); !goOn {
		return address{}, nil, status, false
	}
	if flags.NArg() == 0 {
		return address{}, nil, refuse(std, flags.Name(), errors.New("no ADDRESS")), false
	}
	at, err := parseAddress(flags.Arg(0))
	if err != nil {
		return address{}, nil, refuse(std, flags.Name(), err), false
	}
	if status, goOn = parse(flags, flags.Args()[1:], about, std); !goOn {
		return address{}, nil, status, false
	}
	if err := tls.apply(&at); err != nil {
		return address{}, nil, refuse(std, flags.Name(), err), false
	}
	return at, flags.Args(), statusOK, true
}

// A qmpSession is one run of 'backplane qmp' with its connection.
type qmpSession struct {
	client *qmp.Client
	words  *vocabulary
	qmpOptions
	stdio
}

// run does what the command line asks for and returns the exit status.
func (s *qmpSession) run(ctx context.Context, words []string) int {
	follow := s.events || s.wait.event != ""
	switch {
	case len(words) > 0:
		status := s.report(s.command(ctx, words))
		if status != statusOK || !follow {
			return status
		}
		return s.follow(ctx)
	case follow:
		return s.follow(ctx)
	}
	if in, out, ok := terminals(s.in, s.out); ok {
		return s.converse(ctx, in, out)
	}
	return s.script(ctx)
}

// command runs a command and prints its reply.
func (s *qmpSession) command(ctx context.Context, words []string) error {
	r, err := s.words.request(ctx, words)
	if err != nil {
		return err
	}
	reply, err := s.execute(ctx, r)
	if err != nil {
		return err
	}
	return s.printReply(reply)
}

func (s *qmpSession) execute(ctx context.Context, r request) (reply any, err error) {
	var args any // not a nil *Dict
	if r.args != nil {
		args = r.args
	}
	if r.oob || s.oob {
		err = s.client.ExecuteOOB(ctx, r.command, args, &reply)
	} else {
		err = s.client.Execute(ctx, r.command, args, &reply)
	}
	return reply, err
}

func (s *qmpSession) printReply(reply any) error {
	format := qobject.AppendPretty
	if d, ok := reply.(*qobject.Dict); s.compact || ok && d.Len() == 0 {
		format = qobject.Append
	}
	_, err := s.out.Write(append(format(nil, reply), '\n'))
	return err
}

// report prints an error, if there is one, and returns the status it makes.
func (s *qmpSession) report(err error) int {
	var said *qerr.Error
	switch {
	case err == nil:
		return statusOK
	case errors.As(err, &said):
		fmt.Fprintf(s.err, "%s: %s\n", said.Class, said.Desc)
		return statusFailed
	}
	fmt.Fprintf(s.err, "backplane qmp: %v\n", err)
	return statusUsage
}

// script runs the lines of the input. A line that fails does not end it; a
// connection that is gone does.
func (s *qmpSession) script(ctx context.Context) int {
	status := statusOK
	lines := bufio.NewScanner(newInput(ctx, s.in, nil))
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		words, err := splitWords(lines.Text())
		if err == nil && (len(words) == 0 || strings.HasPrefix(words[0].text, "#")) {
			continue
		}
		if err == nil {
			err = s.command(ctx, texts(words))
		}
		if s.report(err) == statusOK {
			continue
		}
		status = statusFailed
		if ctx.Err() != nil || s.client.Err() != nil {
			return statusUsage
		}
	}
	if err := lines.Err(); err != nil {
		return s.report(fmt.Errorf("standard input: %w", err))
	}
	return status
}

// maxLine bounds a line of a script. QEMU reads no longer message than this.
const maxLine = qobject.MaxTokenBytes

func texts(words []word) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = w.text
	}
	return list
}

// follow prints events until the one waited for has come, or ctx ends. Without
// --wait the end of --timeout, or of the server, is not a failure.
func (s *qmpSession) follow(ctx context.Context) int {
	cursor := qmp.Cursor(0)
	for {
		ev, err := s.client.WaitEvent(ctx, cursor, nil)
		var lost *qmp.EventsLostError
		switch {
		case errors.As(err, &lost):
			fmt.Fprintf(s.err, "backplane %v\n", lost)
			cursor = lost.Next
			continue
		case err != nil:
			return s.unfollow(err)
		}
		cursor = ev.Next
		match := s.wait.match(ev)
		if s.events || match {
			if err := printEvent(s.out, ev); err != nil {
				return s.report(err)
			}
		}
		if match {
			return statusOK
		}
	}
}

// unfollow returns the status when there are no more events.
func (s *qmpSession) unfollow(err error) int {
	if s.wait.event == "" {
		return statusOK
	}
	if errors.Is(err, qmp.ErrClosed) {
		fmt.Fprintf(s.err, "backplane qmp: the server has gone before %s came\n", &s.wait)
	} else {
		fmt.Fprintf(s.err, "backplane qmp: waiting for %s: %v\n", &s.wait, err)
	}
	return statusFailed
}
