package aio

// A ring is a queue in a circular buffer, which grows and is kept.
type ring[T any] struct {
	buf   []T // length a power of two
	first int
	n     int
}

func (r *ring[T]) push(v T) {
	if r.n == len(r.buf) {
		bigger := make([]T, max(8, 2*len(r.buf)))
		k := copy(bigger, r.buf[r.first:])
		copy(bigger[k:], r.buf[:r.first])
		r.buf, r.first = bigger, 0
	}
	r.buf[(r.first+r.n)&(len(r.buf)-1)] = v
	r.n++
}

// pop takes the oldest value; the ring is not empty.
func (r *ring[T]) pop() T {
	var zero T
	v := r.buf[r.first]
	r.buf[r.first] = zero
	r.first = (r.first + 1) & (len(r.buf) - 1)
	r.n--
	return v
}

func (r *ring[T]) clear() { *r = ring[T]{} }
