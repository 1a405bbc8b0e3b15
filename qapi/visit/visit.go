// Package visit decodes values of package qobject into Go values, refusing
// what does not fit with QEMU's error texts.
//
// The root of a document is a [Value]; accessors turn it into a string, an
// integer, an [Object], a list. All values of one document share one error,
// the first that happened: after it accessors return zero values and nothing
// is looked at any more, so decoding code asks for [Value.Err] once, at the
// end. The generated package qapi/api is written this way.
//
// What a server replies may be newer than the schema: [NewReply] lets pass what
// the schema does not have.
//
// There are two flavours of input. With [JSON] (QMP, and JSON on the command
// line) a member must have its JSON type. With [Keyval] (-blockdev a=b,c.d=e)
// all scalars are strings: integers, "on" and "off", sizes with a suffix.
//
// The package starts no goroutines, takes no locks and never blocks. A
// document belongs to the goroutine that decodes it; what has been decoded
// shares only *qobject.Dict and []any values (of type any) with the input.
package visit

import (
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Flavour is how scalars are written in the input.
type Flavour uint8

// The flavours of input.
const (
	JSON   Flavour = iota // members have their JSON type
	Keyval                // all scalars are strings
)

// document is what all values of one input share.
type document struct {
	flavour Flavour
	lenient bool // unknown members and values of enumerations are nothing wrong
	err     error
}

func (d *document) fail(err *qerr.Error) {
	if d.err == nil {
		d.err = err
	}
}

// place is where a container stands: in which container, under which name or
// at which index.
type place struct {
	parent *place
	name   string
	index  int // in a list; -1 elsewhere
}

// Value is one value of the input and its place. The zero Value must not be
// used.
type Value struct {
	doc *document
	at  place
	v   any
}

// New returns the root of a document. A root has no name: its members are
// called by their own names in error texts.
func New(v any, flavour Flavour) Value {
	return Value{doc: &document{flavour: flavour}, at: place{index: -1}, v: v}
}

// NewReply returns the root of a document in JSON that is what a server said:
// members that are not asked for are passed over, and an enumeration may have
// further values.
func NewReply(v any) Value {
	return Value{doc: &document{flavour: JSON, lenient: true}, at: place{index: -1}, v: v}
}

// Err returns the first error of the value's document, a *qerr.Error of class
// GenericError, or nil.
func (v Value) Err() error { return v.doc.err }

// fullName writes the place as error texts do: "a.b[0]", or "a.b.0" in keyval
// input. The root is "<anonymous>".
func (v Value) fullName() string {
	var parts []string
	for p := &v.at; p != nil; p = p.parent {
		switch {
		case p.index < 0:
			if p.name != "" {
				parts = append(parts, "."+p.name)
			}
		case v.doc.flavour == Keyval:
			parts = append(parts, "."+strconv.Itoa(p.index))
		default:
			parts = append(parts, "["+strconv.Itoa(p.index)+"]")
		}
	}
	if len(parts) == 0 {
		return "<anonymous>"
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString(parts[i])
	}
	return strings.TrimPrefix(b.String(), ".")
}

// shortName is the member's own name. QEMU's checks that are outside its
// visitors proper (ranges, enumerations, alternates) know no more, and say
// "null" where there is no name: the root, or an element of a list.
func (v Value) shortName() string {
	if v.at.name == "" {
		return "null"
	}
	return v.at.name
}

// wrongType fails with the text for a value of the wrong JSON type.
func (v Value) wrongType(want string) {
	v.doc.fail(qerr.New("Invalid parameter type for '%s', expected: %s", v.fullName(), want))
}

// expects fails with the text for a value of the right type that is no good.
func (v Value) expects(name, want string) {
	v.doc.fail(qerr.New("Parameter '%s' expects %s", name, want))
}
