package monitor

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"github.com/backplane-vm/backplane/aio"
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qmp"
)

// What a command does with the host may block: then it happens on a thread of
// its own while the command's coroutine yields. How that ends early differs.

// block runs f on a thread of its own and yields until it has returned. It
// cannot be cancelled.
func (h *handlers) block(co *coro.Co, name string, f func()) {
	h.m.World.Go(name, func(*sched.Thread) {
		f()
		co.Wake()
	})
	co.Yield()
}

// apart is block for an f that nobody has to wait for: if co is cancelled, or
// nobody wants the answer to call any more, it returns why, and f goes on by
// itself.
func (h *handlers) apart(co *coro.Co, call *qmp.Call, name string, f func()) (gaveUp error) {
	done := new(coro.Event)
	stop := context.AfterFunc(call.Ctx, done.Set)
	defer stop()
	h.m.World.Go(name, func(*sched.Thread) {
		f()
		done.Set()
	})
	if err := done.WaitCancelable(co); err != nil {
		return err
	}
	return context.Cause(call.Ctx)
}

// blockUntil is block for an f that returns soon after its context has ended:
// when nobody wants the answer to call, which may be nil, any more, or co is
// cancelled. It returns which of them it was, if any, also if f came to its end
// all the same.
func (h *handlers) blockUntil(co *coro.Co, call *qmp.Call, name string, f func(ctx context.Context)) (gaveUp error) {
	parent := context.Background()
	if call != nil {
		parent = call.Ctx
	}
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	done := new(coro.Event)
	h.m.World.Go(name, func(*sched.Thread) {
		f(ctx)
		done.Set()
	})
	if err := done.WaitCancelable(co); err != nil {
		cancel(err)
		done.Wait(co)
	}
	return context.Cause(ctx)
}

// An outlet is a file to be written, whose writes can be ended.
type outlet interface {
	io.WriteCloser
	SetWriteDeadline(t time.Time) error
}

// pipePoll is how often, in nanoseconds, a pipe is looked at that nobody reads
// yet.
const pipePoll = 20_000_000

// createFile opens a file to be written, empty, without holding anybody up. A
// pipe is waited for until somebody reads it. refused words why a file cannot be
// opened.
func (h *handlers) createFile(co *coro.Co, name string, mode fs.FileMode, refused func(error) error) (outlet, error) {
	for {
		if err := co.Err(); err != nil {
			return nil, err
		}
		var f *descriptor.File
		var err error
		noReader := false
		h.block(co, "open", func() {
			f, err = h.m.Files.Open(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|syscall.O_NONBLOCK, mode)
			noReader = errors.Is(err, syscall.ENXIO) && isPipe(name)
		})
		switch {
		case noReader:
			_ = aio.SleepCancelable(co, h.m.Realtime, pipePoll) // the error comes again
		case err != nil:
			return nil, refused(err)
		default:
			return h.s.untilClose(f), nil
		}
	}
}

func isPipe(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.Mode()&fs.ModeNamedPipe != 0
}

// writing runs f, which writes to file, on a thread of its own, and returns its
// error, or why co was cancelled. That ends a wait for whoever reads a pipe; the
// host's disk is waited for.
func (h *handlers) writing(co *coro.Co, file outlet, f func() error) (err error) {
	if err := co.Err(); err != nil {
		return err
	}
	gaveUp := h.blockUntil(co, nil, "write", func(ctx context.Context) {
		stop := context.AfterFunc(ctx, func() { _ = file.SetWriteDeadline(time.Unix(1, 0)) }) // an error: it is no pipe
		defer stop()
		err = f()
	})
	if err == nil {
		return nil
	}
	return cmp.Or(gaveUp, err)
}
