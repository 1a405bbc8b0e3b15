package chardev

import (
	"io"
	"os"
	"sync"
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

// openFile makes the connection of a file device.
func openFile(c Config) (Conn, error) {
	flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if c.Append {
		flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	}
	f, err := os.OpenFile(c.Path, flags, 0o666)
	if err != nil {
		return nil, couldNot("Could not open ", "'"+c.Path+"'", err)
	}
	s := newSink("file", f)
	s.close = f.Close
	return s, nil
}

// A duplex is a connection of two files, one for each direction; they may be
// the same.
type duplex struct{ in, out *os.File }

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
func openPipe(path string) (Conn, error) {
	in, errIn := os.OpenFile(path+".in", os.O_RDWR, 0)
	out, errOut := os.OpenFile(path+".out", os.O_RDWR, 0)
	if errIn == nil && errOut == nil {
		return &duplex{in, out}, nil
	}
	if errIn == nil {
		in.Close()
	}
	if errOut == nil {
		out.Close()
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, couldNot("Could not open ", "'"+path+"'", err)
	}
	return &duplex{f, f}, nil
}
