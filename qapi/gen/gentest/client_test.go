package gentest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// answers is an Executor that notes what is asked and gives set answers.
type answers struct {
	asked  []string
	answer any
	err    error
}

func (a *answers) Execute(_ context.Context, command string, args, result any) error {
	v, err := qobject.From(args)
	if err != nil {
		return err
	}
	a.asked = append(a.asked, command+" "+qobject.Encode(v))
	if a.err != nil || result == nil {
		return a.err
	}
	return qobject.Decode(a.answer, result)
}

func TestClient(t *testing.T) {
	a := &answers{answer: parse(t, `[{"kind": "circle", "radius": 3, "newer": []}, {"kind": "point"}]`)}
	c := Client{a}
	times := int64(2)
	shapes, err := c.Echo(t.Context(), &EchoArgs{Shape: Shape{Kind: ShapeKindCircle, Circle: &Circle{Radius: 3}}, Times: &times})
	if err != nil || len(shapes) != 2 || shapes[0].Circle == nil || shapes[0].Circle.Radius != 3 {
		t.Errorf("echo: %+v, %v", shapes, err)
	}
	if want := `echo {"shape": {"radius": 3, "kind": "circle"}, "times": 2}`; len(a.asked) != 1 || len(a.asked[0]) != len(want) {
		t.Errorf("asked %s, want %s", a.asked, want)
	}
	a.answer = uint64(1 << 63)
	if n, err := c.GetCount(t.Context()); err != nil || n != 1<<63 {
		t.Errorf("get-count: %d, %v", n, err)
	}
	a.answer = "many"
	if _, err := c.GetCount(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "get-count: the reply cannot be read: ") {
		t.Errorf("get-count: %v", err)
	}
	a.err = errors.New("no")
	if _, err := c.GetNames(t.Context()); err != a.err {
		t.Errorf("get-names: %v", err)
	}
	if err := c.Goodbye(t.Context()); err != a.err {
		t.Errorf("goodbye: %v", err)
	}
}
