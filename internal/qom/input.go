package qom

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
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
	if v, ok := parseSize(s); ok {
		return v, nil
	}
	return 0, expects(name, "size")
}

// maxSizeText is the longest size worth parsing: room for any 64-bit number
// with a fraction, and a bound on the work that a hostile one can cause.
const maxSizeText = 64

func parseSize(s string) (uint64, bool) {
	if s == "" || len(s) > maxSizeText {
		return 0, false
	}
	if hex := strings.ToLower(s); strings.HasPrefix(hex, "0x") {
		v, err := strconv.ParseUint(hex[2:], 16, 64)
		return v, err == nil
	}
	shift := 0
	if i := strings.IndexByte("bkmgtpe", s[len(s)-1]|0x20); i >= 0 {
		shift, s = 10*i, s[:len(s)-1]
	}
	if s == "" || strings.Trim(s, "0123456789.") != "" || strings.Count(s, ".") > 1 || s[0] == '.' {
		return 0, false
	}
	r, ok := new(big.Rat).SetString(strings.TrimSuffix(s, "."))
	if !ok {
		return 0, false
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(shift))))
	v := new(big.Int).Quo(r.Num(), r.Denom())
	if !v.IsUint64() || (shift == 0 && !r.IsInt()) {
		return 0, false
	}
	return v.Uint64(), true
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
