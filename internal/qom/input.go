package qom

import (
	"math"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// An Input is a value on its way into a property, in one of two flavours: a
// JSON value, whose type must fit exactly, or text from a key=value option,
// which is parsed. The methods return it as the type wanted or refuse it in
// QEMU's words; name is the property's.
type Input struct {
	Value any
	Text  bool // Value is a string to be parsed
}

// JSON returns an Input of the strict flavour.
func JSON(v any) Input { return Input{Value: v} }

// KeyVal returns an Input of the key=value flavour.
func KeyVal(s string) Input { return Input{Value: s, Text: true} }

func wrongType(name, want string) error {
	return qerr.New("Invalid parameter type for '%s', expected: %s", name, want)
}

func expects(name, what string) error {
	return qerr.New("Parameter '%s' expects %s", name, what)
}

// Str returns a string.
func (in Input) Str(name string) (string, error) {
	if s, ok := in.Value.(string); ok {
		return s, nil
	}
	return "", wrongType(name, "string")
}

// Bool returns a truth value; as text: on, yes, true, y or off, no, false, n.
func (in Input) Bool(name string) (bool, error) {
	if !in.Text {
		b, ok := in.Value.(bool)
		if !ok {
			return false, wrongType(name, "boolean")
		}
		return b, nil
	}
	switch in.Value {
	case "on", "yes", "true", "y":
		return true, nil
	case "off", "no", "false", "n":
		return false, nil
	}
	return false, expects(name, "'on' or 'off'")
}

// Int returns a signed integer of at most bits bits.
func (in Input) Int(name string, bits int) (int64, error) {
	v, err := in.int64(name)
	if err != nil {
		return 0, err
	}
	if bits < 64 && v != v<<(64-bits)>>(64-bits) {
		return 0, expects(name, "int"+strconv.Itoa(bits)+"_t")
	}
	return v, nil
}

func (in Input) int64(name string) (int64, error) {
	if !in.Text {
		if v, ok := in.Value.(int64); ok {
			return v, nil
		}
		return 0, wrongType(name, "integer")
	}
	s, _ := in.Value.(string)
	v, err := strconv.ParseInt(cNumber(s), 0, 64)
	if err != nil {
		return 0, expects(name, "integer")
	}
	return v, nil
}

// Uint returns an unsigned integer of at most bits bits. A negative number
// counts modulo 2^64, as QEMU has it; below 64 bits it is then out of range.
func (in Input) Uint(name string, bits int) (uint64, error) {
	v, err := in.uint64(name)
	if err != nil {
		return 0, err
	}
	if bits < 64 && v >= 1<<bits {
		return 0, expects(name, "uint"+strconv.Itoa(bits)+"_t")
	}
	return v, nil
}

func (in Input) uint64(name string) (uint64, error) {
	if !in.Text {
		switch v := in.Value.(type) {
		case int64:
			return uint64(v), nil
		case uint64:
			return v, nil
		}
		return 0, expects(name, "uint64")
	}
	s, _ := in.Value.(string)
	s = cNumber(s)
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		v, err := strconv.ParseUint(rest, 0, 64)
		if err != nil {
			return 0, expects(name, "integer")
		}
		return -v, nil
	}
	v, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 0, 64)
	if err != nil {
		return 0, expects(name, "integer")
	}
	return v, nil
}

// cNumber keeps what Go reads as a number and C does not (binary and octal
// prefixes, underscores) from being one.
func cNumber(s string) string {
	if strings.ContainsAny(s, "_oO") || (strings.ContainsAny(s, "bB") && !strings.ContainsAny(s, "xX")) {
		return ""
	}
	return strings.TrimLeft(s, " \t\n\v\f\r")
}

// Size returns a number of bytes; text may have a fraction and a suffix B, K,
// M, G, T, P or E.
func (in Input) Size(name string) (uint64, error) {
	if !in.Text {
		return in.uint64(name)
	}
	s, _ := in.Value.(string)
	if v, err := qobject.ParseSize(s, 0); err == nil {
		return v, nil
	}
	return 0, expects(name, "size")
}

// Enum returns one of values.
func (in Input) Enum(name string, values []string) (string, error) {
	s, ok := in.Value.(string)
	if !ok {
		return "", wrongType(name, "string")
	}
	for _, v := range values {
		if s == v {
			return v, nil
		}
	}
	return "", qerr.New("Parameter '%s' does not accept value '%s'", name, s)
}

// IsInt tells whether the value is a JSON integer within int64.
func (in Input) IsInt() bool {
	_, ok := in.Value.(int64)
	return ok && !in.Text
}

// Value64 returns v as the qobject value that stands for it.
func Value64(v uint64) any {
	if v > math.MaxInt64 {
		return v
	}
	return int64(v)
}
