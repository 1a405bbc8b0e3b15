package qobject

import (
	"fmt"
	"math"
	"strconv"
)

// Append appends v in the form QEMU sends it: one line of ASCII, members in
// hash order, ", " and ": " between things, doubles with 17 digits (and inf
// and nan, which are no JSON, where the value is one).
//
// A Marshaler may stand anywhere in v. Anything else that is no value is a
// mistake in the program and panics.
func Append(dst []byte, v any) []byte {
	var e Encoder
	return e.Append(dst, v)
}

// AppendPretty is Append with one element a line, indented by four spaces, as
// a monitor with pretty=on sends it. Lines are parted by "\n".
func AppendPretty(dst []byte, v any) []byte {
	e := Encoder{Pretty: true}
	return e.Append(dst, v)
}

// Encode returns what Append would append.
func Encode(v any) string { return string(Append(nil, v)) }

// An Encoder writes values as Append does, with options. The zero Encoder is
// that.
type Encoder struct {
	// Pretty is for the form of AppendPretty, whose lines LineEnd parts, "\n"
	// when empty.
	Pretty  bool
	LineEnd string

	// Spill, unless nil, is given what has been written each time that is
	// PieceSize bytes or a little more, so that a value of any size needs room
	// for one piece. It returns the buffer to go on with, such as p[:0].
	// The last piece is what Append returns, and may be empty.
	PieceSize int
	Spill     func(p []byte) []byte
}

// Append writes v to dst.
func (e *Encoder) Append(dst []byte, v any) []byte { return e.value(dst, v, 0) }

// spill hands dst on if it is a piece.
func (e *Encoder) spill(dst []byte) []byte {
	if e.Spill != nil && len(dst) >= e.PieceSize {
		return e.Spill(dst)
	}
	return dst
}

func (e *Encoder) value(dst []byte, v any, depth int) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case uint64:
		return strconv.AppendUint(dst, v, 10)
	case float64:
		return appendDouble(dst, v)
	case string:
		return e.string(dst, v)
	case []any:
		return e.array(dst, v, depth)
	case *Dict:
		return e.object(dst, v, depth)
	case Encoded:
		if !e.Pretty {
			return e.encoded(dst, string(v))
		}
		return e.value(dst, v.QObject(), depth)
	case Marshaler:
		return e.value(dst, v.QObject(), depth)
	}
	panic(fmt.Sprintf("qobject: %T is no value", v))
}

func (e *Encoder) array(dst []byte, list []any, depth int) []byte {
	dst = append(dst, '[')
	for i, v := range list {
		dst = e.separate(e.spill(dst), i == 0, depth+1)
		dst = e.value(dst, v, depth+1)
	}
	return append(e.end(dst, depth), ']')
}

func (e *Encoder) object(dst []byte, d *Dict, depth int) []byte {
	dst = append(dst, '{')
	var room [smallOrder]int32
	for i, at := range d.wireOrder(room[:0]) {
		m := &d.members[at]
		dst = e.separate(e.spill(dst), i == 0, depth+1)
		dst = append(AppendString(dst, m.key), ": "...)
		dst = e.value(dst, m.value, depth+1)
	}
	return append(e.end(dst, depth), '}')
}

// separate appends what stands before an element.
func (e *Encoder) separate(dst []byte, first bool, depth int) []byte {
	switch {
	case e.Pretty && first:
		return e.line(dst, depth)
	case e.Pretty:
		return e.line(append(dst, ','), depth)
	case first:
		return dst
	}
	return append(dst, ", "...)
}

// end appends what stands before a closing bracket, also when nothing stands
// between the two.
func (e *Encoder) end(dst []byte, depth int) []byte {
	if e.Pretty {
		return e.line(dst, depth)
	}
	return dst
}

func (e *Encoder) line(dst []byte, depth int) []byte {
	if e.LineEnd != "" {
		dst = append(dst, e.LineEnd...)
	} else {
		dst = append(dst, '\n')
	}
	for range depth {
		dst = append(dst, "    "...)
	}
	return dst
}

// appendDouble writes f as C's %.17g does.
func appendDouble(dst []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(dst, "inf"...)
	case math.IsInf(f, -1):
		return append(dst, "-inf"...)
	case math.IsNaN(f):
		return append(dst, "nan"...)
	}
	return strconv.AppendFloat(dst, f, 'g', 17, 64)
}

const (
	hexDigits   = "0123456789ABCDEF"
	replacement = 0xFFFD // stands for bytes that are no character
)

// stringPiece is how many bytes of a string are written between two looks at
// how much has gathered.
const stringPiece = 1 << 10

// string is AppendString in pieces.
func (e *Encoder) string(dst []byte, s string) []byte {
	if e.Spill == nil || len(s) <= stringPiece {
		return AppendString(dst, s)
	}
	dst = append(dst, '"')
	for len(s) > 0 {
		n := 0
		dst, n = appendText(e.spill(dst), s, min(stringPiece, len(s)))
		s = s[n:]
	}
	return append(dst, '"')
}

// encoded appends a text as it is, in pieces.
func (e *Encoder) encoded(dst []byte, text string) []byte {
	for e.Spill != nil && len(dst)+len(text) > e.PieceSize {
		n := max(0, e.PieceSize-len(dst))
		dst = e.Spill(append(dst, text[:n]...))
		text = text[n:]
	}
	return append(dst, text...)
}

// AppendString appends s with its quotes, in pure ASCII.
func AppendString(dst []byte, s string) []byte {
	dst, _ = appendText(append(dst, '"'), s, len(s))
	return append(dst, '"')
}

// appendText appends the characters of s that begin before limit, and returns
// how many bytes of s those are.
func appendText(dst []byte, s string, limit int) ([]byte, int) {
	plain := 0 // where the run of bytes that need no escape begins
	i := 0
	for i < limit {
		if c := s[i]; ' ' <= c && c < 0x7F && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[plain:i]...)
		r, size := decodeRune(s[i:])
		dst = appendEscape(dst, r)
		i += size
		plain = i
	}
	return append(dst, s[plain:i]...), i
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	if r < 0 {
		r = replacement
	}
	if r >= 0x10000 {
		r -= 0x10000
		return appendUnit(appendUnit(dst, 0xD800|r>>10), 0xDC00|r&0x3FF)
	}
	return appendUnit(dst, r)
}

// appendUnit appends one UTF-16 code unit as an escape.
func appendUnit(dst []byte, u rune) []byte {
	return append(dst, '\\', 'u',
		hexDigits[u>>12&15], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
}
