package hostfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRead(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "f")
	long := strings.Repeat("x", 3*pieceSize)
	for _, want := range []string{"", "text", long} {
		if err := os.WriteFile(name, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		text, info, err := Read(name, len(long))
		if string(text) != want || err != nil || info.Size() != int64(len(want)) {
			t.Errorf("%d of %d bytes, %v", len(text), len(want), err)
		}
	}
	for what, x := range map[string]struct {
		name string
		want syscall.Errno
	}{
		"too much":     {name, syscall.EFBIG},
		"without end":  {"/dev/zero", syscall.EFBIG},
		"not there":    {filepath.Join(dir, "no"), syscall.ENOENT},
		"a folder":     {dir, syscall.EISDIR},
		"silent pipe":  {pipe(t), syscall.EAGAIN},
		"talking pipe": {written(t, long), syscall.EFBIG},
	} {
		if text, _, err := Read(x.name, len(long)-1); !errors.Is(err, x.want) {
			t.Errorf("%s: %d bytes, %v, want %v", what, len(text), err, x.want)
		}
	}
}

// A pipe is read to its writer's end, however late that comes.
func TestReadPipe(t *testing.T) {
	for _, want := range []string{"", "secret", strings.Repeat("x", 1<<20)} {
		text, _, err := Read(written(t, want), 1<<20)
		if string(text) != want || err != nil {
			t.Errorf("%d of %d bytes, %v", len(text), len(want), err)
		}
	}
}

// What counts is how long a writer is waited for, not how often.
func TestReadPieces(t *testing.T) {
	name := pipe(t)
	const pieces = 200
	over := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		for range pieces {
			if err == nil {
				_, err = f.WriteString("x")
			}
			for unread := 1; err == nil && unread > 0; {
				unread, err = unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
			}
		}
		over <- errors.Join(err, f.Close())
	}()
	if text, _, err := Read(name, pieces); len(text) != pieces || err != nil {
		t.Errorf("%d of %d bytes, %v", len(text), pieces, err)
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
}

// pipe is one that nobody writes to.
func pipe(t *testing.T) (name string) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// written is a pipe to which somebody writes text as it is read.
func written(t *testing.T, text string) (name string) {
	t.Helper()
	name = pipe(t)
	over := make(chan struct{})
	go func() {
		defer close(over)
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = f.WriteString(text) // the reader may have enough of it
		_ = f.Close()
	}()
	t.Cleanup(func() { <-over })
	return name
}
