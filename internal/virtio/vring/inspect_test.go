package vring

import (
	"errors"
	"slices"
	"testing"
)

// What Peek shows is what the driver wrote, sound or not, and the queue goes on
// as before.
func TestPeek(t *testing.T) {
	d := newDriver(4)
	q := d.start(t)
	next := []uint16{1, 2, 3, 0}
	for _, x := range []struct {
		what  string
		write func()
		want  []uint64 // addresses of the chain
		err   error
	}{
		{"nothing", func() {}, []uint64{0}, nil},
		{"a chain", func() {
			d.desc(d.cfg.Desc, 0, 0xa000, 4, descNext, 2)
			d.desc(d.cfg.Desc, 2, 0xb000, 4, descWrite, 0)
		}, []uint64{0xa000, 0xb000}, nil},
		{"a loop", func() {
			for i, n := range next {
				d.desc(d.cfg.Desc, uint16(i), uint64(i), 1, descNext, n)
			}
		}, []uint64{0, 1, 2, 3}, nil},
		{"a chain out of the table", func() { d.desc(d.cfg.Desc, 0, 0xa000, 4, descNext, 9) }, []uint64{0xa000}, nil},
		{"an indirect chain", func() {
			d.desc(d.cfg.Desc, 0, 0x2000, 32, descIndirect, 0)
			d.desc(0x2000, 0, 0xc000, 1, descNext, 1)
			d.desc(0x2000, 1, 0xd000, 1, 0, 0)
		}, []uint64{0xc000, 0xd000}, nil},
		{"an empty table", func() { d.desc(d.cfg.Desc, 0, 0x2000, 0, descIndirect, 0) }, nil, ErrIndirect},
		{"a table nowhere", func() { d.desc(d.cfg.Desc, 0, 1<<40, 32, descIndirect, 0) }, nil, ErrIndirect},
	} {
		x.write()
		c, err := q.Peek(0)
		var got []uint64
		for _, desc := range c.Descs {
			got = append(got, desc.Addr)
		}
		if !slices.Equal(got, x.want) || !errors.Is(err, x.err) || !q.Ready() {
			t.Errorf("%s: %x, %v, ready %v; want %x, %v", x.what, got, err, q.Ready(), x.want, x.err)
		}
	}
	if _, err := new(Queue).Peek(0); !errors.Is(err, ErrNotSetUp) {
		t.Errorf("a queue that was never started: %v", err)
	}
	if s := q.State(); !s.Ready || s.Size != 4 || s.Avail != d.cfg.Avail || s.NextAvail != 0 || s.InFlight != 0 {
		t.Errorf("state %+v", s)
	}
}
