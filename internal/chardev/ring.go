package chardev

import "sync"

// maxRing bounds a ringbuf; one process may hold many machines.
const maxRing = 64 << 20

// A Ring keeps the last bytes written to it, for ringbuf-read. Its methods are
// for any goroutine and do not block.
type Ring struct {
	mu   sync.Mutex
	buf  []byte
	head uint64 // bytes ever written
	tail uint64 // bytes read or overwritten
}

// NewRing returns a Ring of size bytes, a power of two.
func NewRing(size int) *Ring { return &Ring{buf: make([]byte, size)} }

// Write appends p; the oldest bytes make room.
func (r *Ring) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := uint64(len(r.buf))
	for _, b := range p[max(0, len(p)-len(r.buf)):] {
		r.buf[r.head%size] = b
		r.head++
	}
	if r.head-r.tail > size {
		r.tail = r.head - size
	}
	return len(p), nil
}

// Take removes and returns at most n of the oldest bytes.
func (r *Ring) Take(n int) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = min(n, int(r.head-r.tail))
	out := make([]byte, 0, max(n, 0))
	for ; len(out) < n; r.tail++ {
		out = append(out, r.buf[r.tail%uint64(len(r.buf))])
	}
	return out
}

// Len returns how many bytes are kept.
func (r *Ring) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return int(r.head - r.tail)
}
