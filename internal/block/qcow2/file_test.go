package qcow2

import (
	"errors"
	"math/rand/v2"
	"syscall"

	"github.com/backplane-vm/backplane/coro"
)

// run calls f in a coroutine that is entered until it ends.
func run(f func(co *coro.Co)) {
	co := coro.New("test", f)
	for co.Enter() {
	}
}

// errCut is what a file answers that has been cut off.
var errCut = errors.New("cut off")

// memory is a file that can lose what was not flushed. Each operation is in
// data at once; those since the last flush are in journal as well, so that a
// power cut can lose any of them.
type memory struct {
	data    []byte
	durable []byte // before the operations in journal
	journal []operation
	record  bool
	left    int // operations until it is cut off; negative: none is counted
	ops     int
	limit   int64 // of its length; 0: a GiB
}

type operation struct {
	off  int64
	p    []byte
	size int64 // of a truncation, if p is nil
}

func (m *memory) Length() int64 { return int64(len(m.data)) }

func (m *memory) ReadAt(_ *coro.Co, p []byte, off int64) error {
	n := 0
	if off < int64(len(m.data)) {
		n = copy(p, m.data[off:])
	}
	clear(p[n:])
	return nil
}

func (m *memory) WriteAt(_ *coro.Co, p []byte, off int64) error {
	return m.do(operation{off: off, p: append([]byte{}, p...)})
}

func (m *memory) Truncate(_ *coro.Co, size int64) error { return m.do(operation{size: size}) }

func (m *memory) do(op operation) error {
	if m.left == 0 {
		return errCut
	}
	limit := m.limit
	if limit == 0 {
		limit = 1 << 30
	}
	if op.off > limit || op.size > limit {
		return syscall.EFBIG
	}
	m.left--
	m.ops++
	if m.record {
		m.journal = append(m.journal, op)
	}
	m.data = op.apply(m.data)
	return nil
}

func (op *operation) apply(data []byte) []byte {
	size := op.off + int64(len(op.p))
	if op.p == nil {
		size = op.size
	}
	if grow := size - int64(len(data)); grow > 0 {
		data = append(data, make([]byte, grow)...)
	} else if op.p == nil {
		clear(data[size:])
		data = data[:size]
	}
	copy(data[op.off:], op.p)
	return data
}

func (m *memory) Flush(*coro.Co) error {
	if m.left == 0 {
		return errCut
	}
	if m.record {
		m.durable, m.journal = append(m.durable[:0], m.data...), nil
	}
	return nil
}

// cut returns what a power cut may leave: what was flushed, and some of the
// operations since.
func (m *memory) cut(rnd *rand.Rand) []byte {
	data := append([]byte{}, m.durable...)
	for _, op := range m.journal {
		if rnd.IntN(2) == 0 {
			data = op.apply(data)
		}
	}
	return data
}
