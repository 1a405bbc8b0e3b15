package backend

import (
	"crypto/rand"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/descriptor"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

const (
	builtinType = "rng-builtin"
	randomType  = "rng-random"

	// urandom is what rng-random reads unless it is told otherwise.
	urandom = "/dev/urandom"
)

// RNG is a source of entropy: the emulator's own, or a file.
type RNG struct {
	qom.Object
	filename string           // "" for the emulator's own
	file     *descriptor.File // nil for the emulator's own
}

// NewBuiltinRNG returns a source that is the host's generator.
func NewBuiltinRNG() *RNG {
	r := &RNG{}
	r.Init(builtinType, r, rngClass(false), nil)
	return r
}

// NewFileRNG returns a source that reads filename, which may be a set of files;
// "" means /dev/urandom. A read never waits for the file to have more.
func NewFileRNG(files *descriptor.Sets, filename string) (*RNG, error) {
	if filename == "" {
		filename = urandom
	}
	file, err := files.Open(filename, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, qerr.New("Could not open '%s': %s", filename, qerr.Reason(err))
	}
	r := &RNG{filename: filename, file: file}
	r.Init(randomType, r, rngClass(true), func() { _ = file.Close() })
	return r, nil
}

// Read implements io.Reader; it returns what there is now.
func (r *RNG) Read(p []byte) (int, error) {
	if r.file == nil {
		return rand.Read(p)
	}
	n, err := r.readNow(p)
	switch {
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, errNoEntropy
	}
	return n, nil
}

// readNow is one read(2), which does not wait; the file's Read would.
func (r *RNG) readNow(p []byte) (n int, err error) {
	raw, err := r.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		n, failed = unix.Read(int(fd), p)
		return true
	})
	if err == nil {
		err = failed
	}
	return n, err
}

var errNoEntropy = errors.New("backend: the file has no more")

func rngClass(file bool) properties {
	p := properties{{
		Name: "opened", Type: "bool",
		Get: func(*qom.Object) (any, error) { return true, nil },
	}}
	if !file {
		return p
	}
	return append(p, &qom.Property{
		Name: "filename", Type: "string",
		Get: func(o *qom.Object) (any, error) { return o.Self().(*RNG).filename, nil },
		Set: func(*qom.Object, qom.Input) error { return qerr.New("Property 'filename' can no longer be set") },
	})
}
