package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// terminals returns the files behind the streams if both are terminals.
func terminals(in io.Reader, out io.Writer) (inFile, outFile *os.File, ok bool) {
	inFile, ok1 := in.(*os.File)
	outFile, ok2 := out.(*os.File)
	ok = ok1 && ok2 && term.IsTerminal(int(inFile.Fd())) && term.IsTerminal(int(outFile.Fd()))
	return inFile, outFile, ok
}

// rawMode switches a terminal to raw mode and returns what switches it back.
// Signals that end the program must end a context instead while it lasts.
func rawMode(f *os.File) (restore func(), err error) {
	before, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("raw mode: %w", err)
	}
	return func() { _ = term.Restore(int(f.Fd()), before) }, nil
}

// onResize calls f with the size of a terminal, now and in a goroutine after
// each change, until stop is called.
func onResize(terminal *os.File, f func(width, height int)) (stop func()) {
	tell := func() {
		if width, height, err := term.GetSize(int(terminal.Fd())); err == nil && width > 0 {
			f(width, height)
		}
	}
	tell()
	changes := make(chan os.Signal, 1) // one is enough: the size is looked up
	signal.Notify(changes, syscall.SIGWINCH)
	go func() {
		for range changes {
			tell()
		}
	}()
	return func() {
		signal.Stop(changes)
		close(changes)
	}
}

// maxTypedAhead is how many pieces of input may wait to be read. A person does
// not type as much, and a paste beyond it waits in the terminal.
const maxTypedAhead = 64

// An input reads a stream in a goroutine of its own, so that its reader can be
// told to stop, and so that a key can be noticed while nobody reads. The
// goroutine ends with the stream or, at its next byte, with the context.
type input struct {
	ctx    context.Context
	pieces chan []byte
	rest   []byte
	err    error // set before pieces is closed
}

// newInput starts to read from. What is read goes through filter, if there is
// one, in the reading goroutine.
func newInput(ctx context.Context, from io.Reader, filter func([]byte) []byte) *input {
	in := &input{ctx: ctx, pieces: make(chan []byte, maxTypedAhead)}
	go in.pump(from, filter)
	return in
}

func (in *input) pump(from io.Reader, filter func([]byte) []byte) {
	defer close(in.pieces)
	for {
		buf := make([]byte, 4096)
		n, err := from.Read(buf)
		if in.ctx.Err() != nil {
			return
		}
		piece := buf[:n]
		if filter != nil {
			piece = filter(piece)
		}
		if len(piece) > 0 {
			select {
			case in.pieces <- piece:
			case <-in.ctx.Done():
				return
			}
		}
		if err != nil {
			in.err = err
			return
		}
	}
}

// Read reads from the stream; it fails with the context's cause when that ends.
func (in *input) Read(p []byte) (int, error) {
	for len(in.rest) == 0 {
		if in.ctx.Err() != nil {
			return 0, context.Cause(in.ctx)
		}
		select {
		case piece, ok := <-in.pieces:
			if !ok {
				return 0, in.ended()
			}
			in.rest = piece
		case <-in.ctx.Done():
		}
	}
	n := copy(p, in.rest)
	in.rest = in.rest[n:]
	return n, nil
}

func (in *input) ended() error {
	if in.err == nil { // the pump has seen the context end
		return context.Cause(in.ctx)
	}
	return in.err
}
