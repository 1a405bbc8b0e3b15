package qmptest

import (
	"net"
	"slices"
)

// A Fault is what happens to what one side of a connection sends, just before
// its byte number At, counted from 0.
type Fault struct {
	At int
	// Do acts on the connection itself. With an error the connection is broken
	// for the sender.
	Do func(net.Conn) error
}

// Split sends what comes before a byte by itself, so that the other side may
// see it alone.
func Split(at int) Fault { return Fault{at, func(net.Conn) error { return nil }} }

// Insert puts in bytes of its own: garbage, or an event where there should be
// none.
func Insert(at int, text string) Fault {
	return Fault{at, func(c net.Conn) error {
		_, err := c.Write([]byte(text))
		return err
	}}
}

// HangUp closes the connection instead of sending the byte.
func HangUp(at int) Fault {
	return Fault{at, func(c net.Conn) error {
		c.Close()
		return net.ErrClosed
	}}
}

// Hold sends the byte and what follows only once until is closed: a delay whose
// length the test determines.
func Hold(at int, until <-chan struct{}) Fault {
	return Fault{at, func(net.Conn) error {
		<-until
		return nil
	}}
}

// faulty is a connection with faults in what is written to it.
type faulty struct {
	net.Conn
	faults []Fault // to come, first first
	sent   int
}

// Faulty returns conn with faults, which are for one goroutine that writes.
// Faults at the same byte happen in the order given.
func Faulty(conn net.Conn, faults ...Fault) net.Conn {
	f := &faulty{Conn: conn, faults: slices.Clone(faults)}
	slices.SortStableFunc(f.faults, func(a, b Fault) int { return a.At - b.At })
	return f
}

// Write implements net.Conn.
func (f *faulty) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		part := p
		if len(f.faults) > 0 {
			part = p[:min(len(p), max(0, f.faults[0].At-f.sent))]
		}
		if len(part) > 0 {
			m, err := f.Conn.Write(part)
			n, f.sent, p = n+m, f.sent+m, p[m:]
			if err != nil {
				return n, err
			}
			continue
		}
		do := f.faults[0].Do
		f.faults = f.faults[1:]
		if err := do(f.Conn); err != nil {
			return n, err
		}
	}
	return n, nil
}
