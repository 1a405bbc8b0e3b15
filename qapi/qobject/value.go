// Package qobject holds the values that travel over QMP, and reads and writes
// them exactly as QEMU 10.0 does: its JSON dialect on input, its member order
// and escapes on output.
//
// A value is one of
//
//	nil, bool, int64, uint64 (only above math.MaxInt64), float64, string, []any, *Dict
//
// and nothing else. A type that knows how to turn itself into a value is a
// [Marshaler]; the encoder takes one wherever it takes a value.
//
// The package starts no goroutines, takes no locks and never blocks. Values
// and a [Parser] belong to whoever holds them; they are not safe for
// concurrent use unless nobody writes.
package qobject

// Marshaler is implemented by types that have a form as a value: generated
// QAPI types above all. QObject returns a value as the package comment lists
// them (it may contain further Marshalers); the caller owns the result and
// must not change what it shares with the receiver.
type Marshaler interface {
	QObject() any
}

// Unmarshaler is the other direction: FromQObject sets the receiver from a
// value, which it may keep but not change.
type Unmarshaler interface {
	FromQObject(v any) error
}

// Encoded is a value that has been written already, by Append or as it would:
// it is sent as it is, which costs a large constant reply a copy and no more.
type Encoded string

// QObject reads the value. It panics if the text is none, which is a mistake
// in the program. It implements [Marshaler].
func (e Encoded) QObject() any {
	v, err := ParseJSON(string(e))
	if err != nil {
		panic("qobject: encoded value: " + err.Error())
	}
	return v
}

// Kind names the JSON type of a value.
type Kind uint8

// The kinds. Number covers int64, uint64 and float64.
const (
	Invalid Kind = iota // no value at all, such as an int or a struct
	Null
	Bool
	Number
	String
	Array
	Object
)

// String returns QEMU's word for the kind, as its error texts use it.
func (k Kind) String() string {
	return [...]string{"invalid", "null", "boolean", "number", "string", "array", "object"}[k]
}

// KindOf tells what v is; Invalid if it is none of the package's value types.
func KindOf(v any) Kind {
	switch v.(type) {
	case nil:
		return Null
	case bool:
		return Bool
	case int64, uint64, float64:
		return Number
	case string:
		return String
	case []any:
		return Array
	case *Dict:
		return Object
	}
	return Invalid
}
