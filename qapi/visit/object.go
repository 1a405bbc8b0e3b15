package visit

import (
	"slices"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// Object is an object of the input while its members are being taken. Members
// that nobody took are errors, which Close finds.
type Object struct {
	doc   *document
	at    *place
	dict  *qobject.Dict
	taken []string
}

// Object returns the value as an object. It is never nil: after an error it
// is an object that has nothing.
func (v Value) Object() *Object {
	o := &Object{doc: v.doc, at: &v.at}
	if v.doc.err != nil {
		return o
	}
	dict, ok := v.v.(*qobject.Dict)
	if !ok {
		v.wrongType("object")
		return o
	}
	o.dict = dict
	return o
}

func (o *Object) member(name string) Value {
	return Value{doc: o.doc, at: place{parent: o.at, name: name, index: -1}}
}

// Maybe takes the optional member name; ok says whether it is there.
func (o *Object) Maybe(name string) (v Value, ok bool) {
	v = o.member(name)
	if o.doc.err != nil {
		return v, false
	}
	if v.v, ok = o.dict.Get(name); ok {
		o.taken = append(o.taken, name)
	}
	return v, ok
}

// Need takes the mandatory member name; it is an error if it is not there.
func (o *Object) Need(name string) Value {
	v, ok := o.Maybe(name)
	if !ok {
		o.doc.fail(qerr.New("Parameter '%s' is missing", v.fullName()))
	}
	return v
}

// Close fails if there is a member that has not been taken.
func (o *Object) Close() {
	if o.doc.err != nil || o.doc.lenient || len(o.taken) == o.dict.Len() {
		return
	}
	for name := range o.dict.All() {
		if !slices.Contains(o.taken, name) {
			o.doc.fail(qerr.New("Parameter '%s' is unexpected", o.member(name).fullName()))
			return
		}
	}
}

// Err returns the first error of the object's document, or nil.
func (o *Object) Err() error { return o.doc.err }

// Optional decodes an optional member with decode; nil when it is absent.
func Optional[T any](o *Object, name string, decode func(Value) T) *T {
	v, ok := o.Maybe(name)
	if !ok {
		return nil
	}
	x := decode(v)
	return &x
}

// OptionalList decodes an optional list; nil when it is absent, not nil when
// it is there.
func OptionalList[T any](o *Object, name string, decode func(Value) T) []T {
	v, ok := o.Maybe(name)
	if !ok {
		return nil
	}
	return List(v, decode)
}

// List decodes a list. The result is not nil.
func List[T any](v Value, decode func(Value) T) []T {
	if v.doc.err != nil {
		return nil
	}
	list, ok := v.v.([]any)
	if !ok {
		v.wrongType("array")
		return nil
	}
	out := make([]T, 0, len(list))
	at := v.at
	for i, item := range list {
		x := decode(Value{doc: v.doc, at: place{parent: &at, index: i}, v: item})
		if v.doc.err != nil {
			return nil
		}
		out = append(out, x)
	}
	return out
}
