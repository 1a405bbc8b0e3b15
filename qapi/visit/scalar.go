package visit

import (
	"math"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// text returns the string that stands for a scalar in keyval input.
func (v Value) text() (string, bool) {
	if v.doc.err != nil {
		return "", false
	}
	s, ok := v.v.(string)
	if ok {
		return s, true
	}
	switch v.v.(type) {
	case *qobject.Dict, []any:
		v.doc.fail(qerr.New("Parameters '%s.*' are unexpected", v.fullName()))
	default:
		v.doc.fail(qerr.New("Internal error: parameter %s invalid", v.fullName()))
	}
	return "", false
}

// Str returns a string (schema type 'str').
func (v Value) Str() string {
	if v.doc.err != nil {
		return ""
	}
	if v.doc.flavour == Keyval {
		s, _ := v.text()
		return s
	}
	s, ok := v.v.(string)
	if !ok {
		v.wrongType("string")
	}
	return s
}

// Bool returns a boolean. In keyval input on, yes, true and y are true; off,
// no, false and n are false.
func (v Value) Bool() bool {
	if v.doc.err != nil {
		return false
	}
	if v.doc.flavour == JSON {
		b, ok := v.v.(bool)
		if !ok {
			v.wrongType("boolean")
		}
		return b
	}
	switch s, ok := v.text(); {
	case !ok:
	case s == "on" || s == "yes" || s == "true" || s == "y":
		return true
	case s == "off" || s == "no" || s == "false" || s == "n":
	default:
		v.expects(v.fullName(), "'on' or 'off'")
	}
	return false
}

// Int64 returns an integer (schema types 'int' and 'int64').
func (v Value) Int64() int64 {
	if v.doc.err != nil {
		return 0
	}
	if v.doc.flavour == JSON {
		i, ok := v.v.(int64)
		if !ok {
			v.wrongType("integer")
		}
		return i
	}
	s, ok := v.text()
	if !ok {
		return 0
	}
	i, err := strconv.ParseInt(cNumber(s), 0, 64)
	if err != nil {
		v.expects(v.fullName(), "integer")
		return 0
	}
	return i
}

// Uint64 returns an unsigned integer. JSON input may write it as a negative
// one, which is taken modulo 2^64: QEMU keeps that for old clients.
func (v Value) Uint64() uint64 {
	if v.doc.err != nil {
		return 0
	}
	if v.doc.flavour == JSON {
		switch x := v.v.(type) {
		case int64:
			return uint64(x)
		case uint64:
			return x
		}
		v.expects(v.fullName(), "uint64")
		return 0
	}
	s, ok := v.text()
	if !ok {
		return 0
	}
	s = cNumber(s)
	negative := strings.HasPrefix(s, "-")
	u, err := strconv.ParseUint(strings.TrimPrefix(s, "-"), 0, 64)
	if err != nil || negative && u > 1<<63 {
		v.expects(v.fullName(), "integer")
		return 0
	}
	if negative {
		return -u
	}
	return u
}

// cNumber rewrites what C's strtol takes into what strconv takes with base 0:
// blanks in front and a plus sign go. What only Go knows (underscores, the
// prefixes 0b and 0o) becomes invalid.
func cNumber(s string) string {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	if rest, plus := strings.CutPrefix(s, "+"); plus && !strings.HasPrefix(rest, "-") {
		s = rest
	}
	digits := strings.ToLower(strings.TrimPrefix(s, "-"))
	if strings.HasPrefix(digits, "0b") || strings.HasPrefix(digits, "0o") || strings.ContainsAny(digits, "_+-") {
		return ""
	}
	return s
}

// signed narrows an integer; text is the C type's name, as QEMU says it.
func (v Value) signed(lo, hi int64, text string) int64 {
	i := v.Int64()
	if i < lo || i > hi {
		v.expects(v.shortName(), text)
		return 0
	}
	return i
}

func (v Value) unsigned(hi uint64, text string) uint64 {
	u := v.Uint64()
	if u > hi {
		v.expects(v.shortName(), text)
		return 0
	}
	return u
}

// Int8 returns an integer of 8 bits.
func (v Value) Int8() int8 { return int8(v.signed(math.MinInt8, math.MaxInt8, "int8_t")) }

// Int16 returns an integer of 16 bits.
func (v Value) Int16() int16 { return int16(v.signed(math.MinInt16, math.MaxInt16, "int16_t")) }

// Int32 returns an integer of 32 bits.
func (v Value) Int32() int32 { return int32(v.signed(math.MinInt32, math.MaxInt32, "int32_t")) }

// Uint8 returns an unsigned integer of 8 bits.
func (v Value) Uint8() uint8 { return uint8(v.unsigned(math.MaxUint8, "uint8_t")) }

// Uint16 returns an unsigned integer of 16 bits.
func (v Value) Uint16() uint16 { return uint16(v.unsigned(math.MaxUint16, "uint16_t")) }

// Uint32 returns an unsigned integer of 32 bits.
func (v Value) Uint32() uint32 { return uint32(v.unsigned(math.MaxUint32, "uint32_t")) }

// Size returns a count of bytes. Keyval input may give it a suffix: B, K, M,
// G, T, P or E, with a fraction before it.
func (v Value) Size() uint64 {
	if v.doc.flavour == JSON || v.doc.err != nil {
		return v.Uint64()
	}
	s, ok := v.text()
	if !ok {
		return 0
	}
	n, err := qobject.ParseSize(s, 0)
	if err != nil {
		v.expects(v.fullName(), "size")
	}
	return n
}

// Number returns a finite double.
func (v Value) Number() float64 {
	if v.doc.err != nil {
		return 0
	}
	if v.doc.flavour == JSON {
		switch x := v.v.(type) {
		case int64:
			return float64(x)
		case uint64:
			return float64(x)
		case float64:
			return x
		}
		v.wrongType("number")
		return 0
	}
	s, ok := v.text()
	if !ok {
		return 0
	}
	f, err := strconv.ParseFloat(strings.TrimLeft(s, " \t\n\v\f\r"), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) || strings.Contains(s, "_") {
		v.wrongType("number")
		return 0
	}
	return f
}

// Any returns the value as it is (schema type 'any').
func (v Value) Any() any {
	if v.doc.err != nil {
		return nil
	}
	return v.v
}

// Null is the only value of the schema type 'null'.
type Null struct{}

// Null checks that the value is null, in keyval input the empty string.
func (v Value) Null() Null {
	if v.doc.err != nil {
		return Null{}
	}
	if v.doc.flavour == Keyval {
		if s, ok := v.text(); ok && s != "" {
			v.wrongType("null")
		}
	} else if v.v != nil {
		v.wrongType("null")
	}
	return Null{}
}

// Enum returns a value of an enumeration; values lists what there is.
func Enum[E ~string](v Value, values []E) E {
	s := E(v.Str())
	if v.doc.err != nil {
		return ""
	}
	for _, x := range values {
		if s == x {
			return s
		}
	}
	if v.doc.lenient {
		return s
	}
	v.doc.fail(qerr.New("Parameter '%s' does not accept value '%s'", v.shortName(), string(s)))
	return ""
}

// Kind returns the value's JSON type, by which an alternate chooses. After an
// error it is qobject.Invalid.
func (v Value) Kind() qobject.Kind {
	if v.doc.err != nil {
		return qobject.Invalid
	}
	return qobject.KindOf(v.v)
}

// NoAlternative fails: the value is none of the types that the alternate
// named typ may be.
func (v Value) NoAlternative(typ string) {
	v.doc.fail(qerr.New("Invalid parameter type for '%s', expected: %s", v.shortName(), typ))
}
