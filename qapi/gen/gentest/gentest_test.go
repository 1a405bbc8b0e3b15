package gentest

import (
	"errors"
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qapi/visit"
	"github.com/backplane-vm/backplane/qmp"
)

func parse(t *testing.T, text string) any {
	t.Helper()
	v, err := qobject.ParseJSON(text)
	if err != nil {
		t.Fatalf("test input %s: %v", text, err)
	}
	return v
}

// codec is what every generated type of objects can do.
type codec interface {
	qobject.Marshaler
	qobject.Unmarshaler
}

func TestRoundTrip(t *testing.T) {
	const scalars = `{"s": "x", "b": true, "n": 0.5, "i": -1, "i8": -128, "i16": 32767, "i32": 0, "i64": 9223372036854775807, ` +
		`"u8": 255, "u16": 0, "u32": 4294967295, "u64": 18446744073709551615, "sz": 1, "nothing": null, "a": {"k": [null]}, "c": "red"}`
	for _, c := range []struct {
		into codec
		text string
	}{
		{new(Scalars), scalars},
		{new(Options), `{}`},
		{new(Options), `{"list": [], "objects": []}`},
		{new(Options), `{"s": "", "i8": 1, "u64": 2, "nothing": null, "a": null, "c": "x-none", "list": [1, 2], ` +
			`"objects": [{}, {"s": "in"}], "self": {"self": {}}, "choice": false}`},
		{new(Derived), `{"s": "base", "extra": [true, 1, "blue", {"kind": "point"}, ["a"], null], "plain": {}}`},
		{new(Shape), `{"kind": "point", "name": "p"}`},
		{new(Shape), `{"kind": "circle", "radius": 3}`},
		{new(Shape), `{"kind": "nested", "colour": "red", "radius": 3}`},
		{new(Shape), `{"kind": "nested", "colour": "blue"}`},
	} {
		if err := c.into.FromQObject(parse(t, c.text)); err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got, want := qobject.Encode(c.into), qobject.Encode(parse(t, c.text)); got != want {
			t.Errorf("%T:\ngot  %s\nwant %s", c.into, got, want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	for _, c := range []struct {
		into       codec
		text, want string
	}{
		{new(Shape), `{}`, "Parameter 'kind' is missing"},
		{new(Shape), `{"kind": "square"}`, "Parameter 'kind' does not accept value 'square'"},
		{new(Shape), `{"kind": "point", "radius": 3}`, "Parameter 'radius' is unexpected"},
		{new(Shape), `{"kind": "circle"}`, "Parameter 'radius' is missing"},
		{new(Shape), `{"kind": "nested", "colour": "red", "radius": -1}`, "Parameter 'radius' expects uint32_t"},
		{new(Options), `{"list": ["x"]}`, "Parameter 'list[0]' expects uint64"},
		{new(Options), `{"choice": 0.5}`, "Invalid parameter type for 'choice', expected: integer"},
		{new(Options), `{"self": {"choice": {}}}`, "Parameter 'self.choice.kind' is missing"},
		{new(Options), `{"objects": [{}, {"z": 1}]}`, "Parameter 'objects[1].z' is unexpected"},
		{new(Derived), `{"extra": [], "plain": {"x": 1}}`, "Parameter 'plain.x' is unexpected"},
		{new(Choice), `"green"`, "Parameter 'null' does not accept value 'green'"},
	} {
		if err := c.into.FromQObject(parse(t, c.text)); err == nil || err.Error() != c.want {
			t.Errorf("%T %s: got %v, want %s", c.into, c.text, err, c.want)
		}
	}
}

func TestKeyval(t *testing.T) {
	in := visit.New(parse(t, `{"kind": "circle", "radius": "0x10"}`), visit.Keyval)
	if s := DecodeShape(in); in.Err() != nil || s.Circle == nil || s.Circle.Radius != 16 {
		t.Errorf("got %+v, %v", s, in.Err())
	}
}

var errDraw = errors.New("no pencil")

// painter implements Commands.
type painter struct{ rawArgs *qobject.Dict }

func (p *painter) Echo(_ *qmp.Call, args *EchoArgs) ([]Shape, error) {
	n := int64(1)
	if args.Times != nil {
		n = *args.Times
	}
	return slices.Repeat([]Shape{args.Shape}, int(n)), nil
}
func (p *painter) Draw(*qmp.Call, *Shape) error                            { return errDraw }
func (p *painter) GetOptions(_ *qmp.Call, args *Options) (*Options, error) { return args, nil }
func (p *painter) GetAny(*qmp.Call) (any, error)                           { return nil, nil }
func (p *painter) GetCount(*qmp.Call) (uint64, error)                      { return 1 << 63, nil }
func (p *painter) GetNames(*qmp.Call) ([]string, error)                    { return nil, nil }
func (p *painter) Raw(_ *qmp.Call, args *qobject.Dict) error               { p.rawArgs = args; return nil }
func (p *painter) RawResult(_ *qmp.Call, args *qobject.Dict) (any, error)  { return args, nil }
func (p *painter) Goodbye(*qmp.Call) error                                 { return nil }

func TestTable(t *testing.T) {
	table := map[string]qmp.Command[qmp.NoYield]{}
	for _, c := range Table(&painter{}) {
		if c.Run == nil || c.RunCo != nil {
			t.Errorf("%s: Run must be set, RunCo must not", c.Name)
		}
		table[c.Name] = c
	}
	for name, want := range map[string]qmp.Options{
		"echo": 0, "get-any": qmp.Deprecated, "raw": qmp.Unstable, "goodbye": qmp.NoSuccessResponse,
		"get-count": qmp.AllowOOB | qmp.AllowPreconfig,
	} {
		if got := table[name].Options; got != want {
			t.Errorf("%s: options %b, want %b", name, got, want)
		}
	}
	for _, c := range []struct{ name, args, want string }{
		{"echo", `{"shape": {"kind": "point"}, "times": 2}`, `[{"kind": "point"}, {"kind": "point"}]`},
		{"echo", `{"times": 2}`, `error: Parameter 'shape' is missing`},
		{"draw", `{"kind": "point"}`, `error: no pencil`},
		{"draw", `{"kind": "point", "x": 1}`, `error: Parameter 'x' is unexpected`},
		{"get-options", `{"i8": 5}`, `{"i8": 5}`},
		{"get-any", `{}`, `null`},
		{"get-count", `{}`, `9223372036854775808`},
		{"get-count", `{"x": 1}`, `error: Parameter 'x' is unexpected`},
		{"get-names", `{}`, `[]`},
		{"raw", `{"anything": 1}`, `nothing`},
		{"raw-result", `{"anything": 1}`, `{"anything": 1}`},
		{"goodbye", `{}`, `nothing`},
	} {
		got := run(table[c.name], parse(t, c.args).(*qobject.Dict))
		if got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.name, c.args, got, c.want)
		}
	}
}

func run(c qmp.Command[qmp.NoYield], args *qobject.Dict) string {
	switch v, err := c.Run(&qmp.Call{}, args); {
	case err != nil:
		return "error: " + err.Error()
	case v == nil:
		return "nothing"
	default:
		return qobject.Encode(v)
	}
}

func TestEvents(t *testing.T) {
	for _, c := range []struct {
		event qmp.Event
		want  string
	}{
		{EventShapeDrawn(Circle{Radius: 2}), `SHAPE_DRAWN {"radius": 2}`},
		{EventColourChanged(ColourChangedEvent{Colour: ColourRed}), `COLOUR_CHANGED {"colour": "red"}`},
		{EventDone(), `DONE null`},
	} {
		if got := c.event.Name + " " + qobject.Encode(c.event.Data); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestEnumValues(t *testing.T) {
	v := ColourValues()
	if !slices.Equal(v, []Colour{ColourRed, ColourBlue, ColourXNone}) {
		t.Errorf("got %v", v)
	}
	v[0] = "changed"
	if ColourValues()[0] != ColourRed {
		t.Error("a caller can change the table")
	}
}
