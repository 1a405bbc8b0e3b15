package chardev

import (
	"io"
	"os"
	"sync"

	"github.com/backplane-vm/backplane/internal/descriptor"
)

// A sink is a connection that only takes: reading it blocks until it is closed.
type sink struct {
	io.Writer
	name  string
	once  sync.Once
	done  chan struct{}
	close func() error // may be nil
}

func newSink(name string, w io.Writer) *sink {
	return &sink{Writer: w, name: name, done: make(chan struct{})}
}

func (s *sink) Peer() string { return s.name }

func (s *sink) Read([]byte) (int, error) {
	<-s.done
	return 0, io.EOF
}

func (s *sink) Close() (err error) {
	s.once.Do(func() {
		close(s.done)
		if s.close != nil {
			err = s.close()
		}
	})
	return err
}

// openFile makes the connection of a file device: of the file that is written,
// and of another that is read if there is one.
func (h *Host) openFile(c *Config, keep bool) (Conn, error) {
	out, err := h.Files.Open(c.Path, writeFlags(keep), 0o666)
	if err != nil {
		return nil, couldNot("Could not open ", "'"+c.Path+"'", err)
	}
	if c.Input == "" {
		s := newSink("file", out)
		s.close = out.Close
		return s, nil
	}
	in, err := h.Files.Open(c.Input, os.O_RDONLY, 0)
	if err != nil {
		_ = out.Close()
		return nil, couldNot("Could not open ", "'"+c.Input+"'", err)
	}
	return &duplex{in, out}, nil
}

// openLog opens the file that gets a copy of the output.
func (h *Host) openLog(c *Config) (*descriptor.File, error) {
	f, err := h.Files.Open(c.LogFile, writeFlags(c.LogAppend), 0o666)
	if err != nil {
		return nil, descriptor.Explain(err, "Could not create '%s'", c.LogFile)
	}
	return f, nil
}

// writeFlags are for a file that is written, behind what it holds if keep is set.
func writeFlags(keep bool) int {
	if keep {
		return os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	return os.O_WRONLY | os.O_CREATE | os.O_TRUNC
}

// A duplex is a connection of two files, one for each direction; they may be
// the same.
type duplex struct{ in, out *descriptor.File }

func (d *duplex) Peer() string                { return "pipe" }
func (d *duplex) Read(p []byte) (int, error)  { return d.in.Read(p) }
func (d *duplex) Write(p []byte) (int, error) { return d.out.Write(p) }

func (d *duplex) Close() error {
	err := d.in.Close()
	if d.out != d.in {
		err = d.out.Close()
	}
	return err
}

// openPipe makes the connection of a pipe device: PATH.in and PATH.out if both
// are there, else PATH for both directions. Opening for both directions keeps a
// named pipe from waiting for its other end.
func (h *Host) openPipe(path string) (Conn, error) {
	in, errIn := h.Files.Open(path+".in", os.O_RDWR, 0)
	out, errOut := h.Files.Open(path+".out", os.O_RDWR, 0)
	if errIn == nil && errOut == nil {
		return &duplex{in, out}, nil
	}
	if errIn == nil {
		in.Close()
	}
	if errOut == nil {
		out.Close()
	}
	f, err := h.Files.Open(path, os.O_RDWR, 0)
	if err != nil {
		return nil, couldNot("Could not open ", "'"+path+"'", err)
	}
	return &duplex{f, f}, nil
}
