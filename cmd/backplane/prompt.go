package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

const (
	keyCtrlC = 0x03
	keyTab   = '\t'
	// clearLine is what ctrl-C becomes while a line is edited: ctrl-E goes to
	// its end, ctrl-U deletes to its beginning.
	clearLine = "\x05\x15"
	// completionPatience bounds what Tab may wait for the server.
	completionPatience = 3 * time.Second
	// unknownWidth is the width of a terminal that does not tell it.
	unknownWidth = 80
)

// errGivenUp is the cause when ctrl-C ends the waiting for a reply.
var errGivenUp = errors.New("given up; the server may still be at it")

// A prompt is the conversation at a terminal. One goroutine edits lines and
// runs commands; a second reads keys (see input) and a third prints events.
type prompt struct {
	*qmpSession
	ctx   context.Context
	term  *term.Terminal
	width atomic.Int32

	mu     sync.Mutex
	giveUp context.CancelCauseFunc // set while a command runs
}

// converse talks with a person at a terminal.
func (s *qmpSession) converse(ctx context.Context, in, out *os.File) int {
	restore, err := rawMode(in)
	if err != nil {
		return s.report(err)
	}
	defer restore()
	p, end := newPrompt(ctx, s, in, out)
	defer end()
	defer onResize(out, p.resize)()
	return p.run()
}

// newPrompt sets a conversation up over the two directions of a terminal in
// raw mode. end stops its goroutines; the one that reads keys goes when in
// does, or with the next key.
func newPrompt(ctx context.Context, s *qmpSession, in io.Reader, out io.Writer) (p *prompt, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p = &prompt{ctx: ctx}
	p.width.Store(unknownWidth)
	keys := newInput(ctx, in, p.filterKeys)
	p.term = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{keys, out}, "(qmp) ")
	p.term.AutoCompleteCallback = p.key
	own := *s
	own.out, own.err = p.term, p.term
	p.qmpSession = &own
	var goroutines sync.WaitGroup
	cursor := s.client.Events().Cursor() // here: none may come unseen before the goroutine runs
	goroutines.Go(func() { p.printEvents(cursor) })
	goroutines.Go(func() {
		select {
		case <-s.client.Done():
			cancel(s.client.Err())
		case <-ctx.Done():
		}
	})
	return p, func() {
		cancel(nil)
		goroutines.Wait()
		fmt.Fprint(out, "\r\n")
	}
}

func (p *prompt) resize(width, height int) {
	p.width.Store(int32(width))
	_ = p.term.SetSize(width, height) // fails if the terminal does; the next key tells
}

// run edits and runs lines until the input, the connection or ctx ends.
func (p *prompt) run() int {
	v := p.client.Version()
	fmt.Fprintf(p.term, "Connected to QMP, version %d.%d.%d. 'help' helps, Tab completes, ctrl-D ends.\n", v.Major, v.Minor, v.Micro)
	for {
		line, err := p.term.ReadLine()
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			return p.leave(err)
		}
		p.line(line)
	}
}

// leave says why the conversation is over, unless the person knows, and
// returns the exit status.
func (p *prompt) leave(err error) int {
	switch {
	case errors.Is(err, io.EOF) && p.ctx.Err() == nil:
		return statusOK
	case p.client.Err() != nil:
		fmt.Fprintln(p.term, "The server has closed the connection.")
		return statusOK
	}
	return p.report(err)
}

// line runs one line.
func (p *prompt) line(line string) {
	list, err := splitWords(line)
	words := texts(list)
	switch {
	case err != nil:
	case len(words) == 0:
		return
	case words[0] == "help":
		var text string
		text, err = p.words.explain(p.ctx, words[1:], int(p.width.Load()))
		fmt.Fprint(p.term, text)
	default:
		err = p.patiently(func(ctx context.Context) error { return p.command(ctx, words) })
	}
	var ours *syntaxError
	if errors.As(err, &ours) || errors.Is(err, errQuote) {
		fmt.Fprintln(p.term, err)
		return
	}
	p.report(err)
}

// patiently runs f with a context that ctrl-C ends.
func (p *prompt) patiently(f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(p.ctx)
	defer cancel(nil)
	p.mu.Lock()
	p.giveUp = cancel
	p.mu.Unlock()
	err := f(ctx)
	p.mu.Lock()
	p.giveUp = nil
	p.mu.Unlock()
	return err
}

// filterKeys gives ctrl-C its meaning, in the goroutine that reads keys.
func (p *prompt) filterKeys(keys []byte) []byte {
	if bytes.IndexByte(keys, keyCtrlC) < 0 {
		return keys
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.giveUp != nil {
		p.giveUp(errGivenUp)
		return bytes.ReplaceAll(keys, []byte{keyCtrlC}, nil)
	}
	return bytes.ReplaceAll(keys, []byte{keyCtrlC}, []byte(clearLine))
}

// key is called for each key that is typed: Tab completes.
func (p *prompt) key(line string, pos int, key rune) (string, int, bool) {
	if key != keyTab {
		return "", 0, false
	}
	ctx, cancel := context.WithTimeout(p.ctx, completionPatience)
	defer cancel()
	c, err := p.words.complete(ctx, line[:pos])
	if err != nil || len(c.choices) == 0 {
		return line, pos, true
	}
	if common := c.common(); len(c.choices) == 1 || len(common) > pos-c.start {
		return line[:c.start] + common + line[pos:], c.start + len(common), true
	}
	var shown []string
	for _, choice := range c.choices {
		if _, value, ok := strings.Cut(choice, "="); ok && value != "" {
			choice = value
		}
		shown = append(shown, strings.TrimSpace(choice))
	}
	fmt.Fprint(p.term, columns(shown, int(p.width.Load())))
	return line, pos, true
}

// printEvents prints each event from cursor on as it comes, above the line
// being edited.
func (p *prompt) printEvents(cursor qmp.Cursor) {
	for {
		ev, err := p.client.WaitEvent(p.ctx, cursor, nil)
		var lost *qmp.EventsLostError
		switch {
		case errors.As(err, &lost):
			fmt.Fprintf(p.term, "%d events were lost\n", lost.Count)
			cursor = lost.Next
			continue
		case err != nil:
			return
		}
		cursor = ev.Next
		text := "* " + ev.Name
		if ev.Data != nil {
			text += " " + qobject.Encode(ev.Data)
		}
		at := time.Unix(ev.Time.Seconds, ev.Time.Microseconds*1000)
		fmt.Fprintln(p.term, at.Format("15:04:05.000000"), text)
	}
}
