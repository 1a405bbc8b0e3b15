package finisher

import (
	"slices"
	"testing"
)

func TestCommands(t *testing.T) {
	type call struct {
		a    Action
		code uint16
	}
	for _, c := range []struct {
		name string
		off  uint64
		size int
		v    uint64
		want []call
	}{
		{"pass", 0, 4, 0x5555, []call{{PowerOff, 0}}},
		{"pass, halfword", 0, 2, 0x5555, []call{{PowerOff, 0}}},
		{"fail with a code", 0, 4, 0x002a_3333, []call{{Fail, 42}}},
		{"reset", 0, 4, 0x7777, []call{{Reset, 0}}},
		{"unknown", 0, 4, 0x1234, nil},
		{"other register", 4, 4, 0x5555, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []call
			d := New(func(a Action, code uint16) { got = append(got, call{a, code}) })
			d.Write(c.off, c.size, c.v)
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if v := d.Read(c.off, c.size); v != 0 {
				t.Errorf("reads %#x", v)
			}
		})
	}
}
