package qmp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
)

// MaxFiles is how many files one command may bring; servers keep no more. QEMU's
// commands use the first.
const MaxFiles = 16

// errNoSocket is for connections that carry nothing but bytes.
var errNoSocket = errors.New("files can be sent over unix sockets only")

// WithFiles returns what runs commands that bring files with them (SCM_RIGHTS),
// as getfd and add-fd want. Each command run by it sends them all; they stay the
// caller's, who may close them as soon as Execute has returned.
//
// It takes a connection that is a *net.UnixConn; over any other, Execute fails.
// A server knows the files of the latest message only, so one such command is
// under way at a time and others wait for their turn.
func (c *Client) WithFiles(files ...*os.File) Executor { return withFiles{c, files} }

type withFiles struct {
	c     *Client
	files []*os.File
}

func (w withFiles) Execute(ctx context.Context, command string, args, result any) error {
	if len(w.files) == 0 {
		return w.c.Execute(ctx, command, args, result)
	}
	err := w.c.carries(len(w.files))
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	copies, err := copyFiles(w.files)
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return w.c.call(ctx, request{verb: "execute", place: w.c.inBand, turn: w.c.filesTurn, files: copies}, command, args, result)
}

// carries tells why n files cannot be sent.
func (c *Client) carries(n int) error {
	if _, ok := c.conn.(*net.UnixConn); !ok {
		return errNoSocket
	}
	if n > MaxFiles {
		return fmt.Errorf("%d files cannot be sent at once (maximum is %d)", n, MaxFiles)
	}
	return nil
}

// closeFiles closes copies.
func closeFiles(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}
