package qobject

import (
	"errors"
	"strings"
	"testing"
)

func TestFrom(t *testing.T) {
	type point struct {
		X int `json:"x"`
		Y int `json:"y,omitempty"`
	}
	for _, test := range []struct {
		x    any
		want string
	}{
		{nil, "null"},
		{7, "7"},
		{uint8(7), "7"},
		{uint64(1 << 63), "9223372036854775808"},
		{map[string]any{"id": "d0", "n": 1}, `{"n": 1, "id": "d0"}`},
		{[]string{"a", "b"}, `["a", "b"]`},
		{[]any{1, point{X: 2}}, `[1, {"x": 2}]`},
		{Members("p", &point{X: 1, Y: 2}), `{"p": {"x": 1, "y": 2}}`},
		{celsius(3), `{"degrees": 3}`},
	} {
		v, err := From(test.x)
		if err != nil || KindOf(v) == Invalid || Encode(v) != test.want {
			t.Errorf("From(%#v) is %#v, %v; want %s", test.x, v, err, test.want)
		}
	}
	if _, err := From(Members("a", []any{func() {}})); err == nil || !strings.HasPrefix(err.Error(), "a: [0]: ") {
		t.Errorf("a function: %v", err)
	}
}

type upper string

var errNoString = errors.New("no string")

func (u *upper) FromQObject(v any) error {
	s, ok := v.(string)
	if !ok {
		return errNoString
	}
	*u = upper(strings.ToUpper(s))
	return nil
}

func TestDecode(t *testing.T) {
	v := Members("a", int64(1), "b", []any{"x"})
	var (
		all    any
		dict   *Dict
		fields struct {
			A int
			B []string
		}
		u upper
		n int
	)
	if err := Decode(v, &all); err != nil || all != v {
		t.Errorf("any: %v, %v", all, err)
	}
	if err := Decode(v, &dict); err != nil || dict != v {
		t.Errorf("Dict: %v, %v", dict, err)
	}
	if err := Decode(v, &fields); err != nil || fields.A != 1 || len(fields.B) != 1 || fields.B[0] != "x" {
		t.Errorf("struct: %+v, %v", fields, err)
	}
	if err := Decode("abc", &u); err != nil || u != "ABC" {
		t.Errorf("Unmarshaler: %v, %v", u, err)
	}
	if err := Decode(int64(1), &u); !errors.Is(err, errNoString) {
		t.Errorf("Unmarshaler that refuses: %v", err)
	}
	if err := Decode("abc", &dict); err == nil || err.Error() != "qobject: string where an object is expected" {
		t.Errorf("string into a Dict: %v", err)
	}
	if err := Decode("abc", &n); err == nil {
		t.Error("a string fits an int")
	}
}
