package virtio

import "github.com/backplane-vm/backplane/internal/virtio/vring"

// order keeps requests that ended before others that came earlier, for a driver
// that wants its buffers back in order (virtio 1.2 §2.7.13, §2.8.21). What it
// keeps is in flight, and so bounded by the queue.
type order struct {
	came  uint64 // requests so far, which numbers the next one
	gone  uint64 // given back
	early map[uint64]ended
}

// ended is a request that is to be given back.
type ended struct {
	vring.Element
	written uint32
}

// in returns the number of a request that came.
func (o *order) in() uint64 {
	o.came++
	return o.came - 1
}

// out enters request n as ended and calls push for each whose turn it is.
func (o *order) out(n uint64, e ended, push func(*ended) error) error {
	if o.early == nil {
		o.early = make(map[uint64]ended)
	}
	o.early[n] = e
	for {
		next, ok := o.early[o.gone]
		if !ok {
			return nil
		}
		delete(o.early, o.gone)
		o.gone++
		if err := push(&next); err != nil {
			return err
		}
	}
}
