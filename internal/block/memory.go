package block

import (
	"math"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// memory is a protocol driver for tests and scenarios: an image in memory. It
// never yields. There is no way to it but the Go API.
type memory struct{ data []byte }

// maxMemory bounds what an image in memory may take, in bytes.
const maxMemory = 1 << 30

func newMemory(n *Node) (driver, error) {
	if n.opts.Size < 0 || n.opts.Size > maxMemory {
		return nil, qerr.New("Parameter 'size' expects a >0 size")
	}
	return &memory{data: make([]byte, n.opts.Size)}, nil
}

func (d *memory) length() int64 { return int64(len(d.data)) }

func (d *memory) read(_ *coro.Co, p []byte, off int64) error {
	done := 0
	if off < d.length() {
		done = copy(p, d.data[off:])
	}
	clear(p[done:])
	return nil
}

func (d *memory) write(co *coro.Co, p []byte, off int64) error {
	if off > math.MaxInt64-int64(len(p)) {
		return d.truncate(co, math.MaxInt64)
	}
	if end := off + int64(len(p)); end > d.length() {
		if err := d.truncate(co, end); err != nil {
			return err
		}
	}
	copy(d.data[off:], p)
	return nil
}

func (d *memory) truncate(_ *coro.Co, size int64) error {
	if size > maxMemory {
		return qerr.New("Could not resize file: File too large")
	}
	if size <= d.length() {
		d.data = d.data[:size:size] // what is cut off must not come back
	} else {
		d.data = append(d.data, make([]byte, size-d.length())...)
	}
	return nil
}

func (d *memory) flush(*coro.Co) error           { return nil }
func (d *memory) setPermissions(_, _ Perm) error { return nil }
func (d *memory) close()                         {}
