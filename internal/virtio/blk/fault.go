package blk

import (
	"slices"

	"github.com/backplane-vm/backplane/coro"
)

// faultTaker is a Backend that knows what failed requests lead to.
type faultTaker interface {
	// SetErrorPolicies takes the values of rerror and werror.
	SetErrorPolicies(reads, writes string)
	// Failed tells of a request that failed: its error is to be ignored, or the
	// request to be tried again after Retry, or else the guest is to be told.
	Failed(write bool, err error) (ignore, again bool)
}

// serve does what the request asks for and returns its status. A request that
// fails may have to wait until the machine has been stopped and goes on.
func (d *Device) serve(co *coro.Co, r *request) uint8 {
	for {
		status, err := d.attempt(co, r)
		if err == nil {
			return status
		}
		ignore, again := false, false
		if f, ok := d.disk.(faultTaker); ok {
			ignore, again = f.Failed(r.typ != typeIn, err)
		}
		switch {
		case ignore:
			return statusOK
		case !again || !d.await(co, r):
			return statusIOError
		}
	}
}

// await waits until the machine goes on. It is false if the driver has given
// the request up meanwhile.
func (d *Device) await(co *coro.Co, r *request) bool {
	d.failed = append(d.failed, co)
	defer func() { // of use only if co is being ended while it waits
		d.failed = slices.DeleteFunc(d.failed, func(have *coro.Co) bool { return have == co })
	}()
	co.Yield()
	return r.Live()
}

// Retry has the requests tried again that failed: the machine goes on, or the
// driver has given them up.
func (d *Device) Retry() {
	waiting := d.failed
	d.failed = nil
	for _, co := range waiting {
		co.Wake()
	}
}
