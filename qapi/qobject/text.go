package qobject

import (
	"unicode/utf8"
)

// QEMU's strings are modified UTF-8: U+0000 is C0 80, because a NUL byte ends
// a C string. Here a string holds U+0000 as the byte 0; C0 80 is understood
// when read. Surrogates and noncharacters are no characters in either.

// unquote returns what a string token stands for. The lexer has seen to it
// that the text has its quotes, no control characters, and a byte behind each
// backslash.
func (b *builder) unquote(token []byte) (string, bool) {
	body := token[1 : len(token)-1]
	plain := 0
	for plain < len(body) && body[plain] != '\\' && body[plain] < utf8.RuneSelf {
		plain++
	}
	if plain == len(body) {
		return intern(body), true
	}
	out := append(make([]byte, 0, len(body)), body[:plain]...)
	for i := plain; i < len(body); {
		if body[i] == '\\' {
			var ok bool
			if out, i, ok = b.unescape(out, token, i+1); !ok {
				return "", false
			}
			continue
		}
		r, size := decodeRune(body[i:])
		if r < 0 {
			b.fail("invalid UTF-8 sequence in string")
			return "", false
		}
		out = utf8.AppendRune(out, r)
		i += size
	}
	return string(out), true
}

// unescape appends what the escape sequence at token[at] (its backslash)
// stands for, and returns the position in the token's body behind it.
func (b *builder) unescape(out, token []byte, at int) ([]byte, int, bool) {
	switch c := token[at+1]; c {
	case '"', '\'', '\\', '/':
		out = append(out, c)
	case 'b':
		out = append(out, '\b')
	case 'f':
		out = append(out, '\f')
	case 'n':
		out = append(out, '\n')
	case 'r':
		out = append(out, '\r')
	case 't':
		out = append(out, '\t')
	case 'u':
		r, size := codeUnits(token[at:])
		if !isCharacter(r) {
			end := min(at+size, len(token))
			b.fail("%s is not a valid Unicode character", token[at:end])
			return nil, 0, false
		}
		return utf8.AppendRune(out, r), at + size - 1, true
	default:
		b.fail("invalid escape sequence in string")
		return nil, 0, false
	}
	return out, at + 1, true
}

// codeUnits reads \uXXXX, or two of them that form a surrogate pair, from the
// beginning of text. It returns -1 for what is no code point; size then covers
// the first escape, which the error shows.
func codeUnits(text []byte) (r rune, size int) {
	const escape = len(`\uXXXX`)
	r = hex4(text[2:])
	if r < 0xD800 || r > 0xDBFF || len(text) < escape+2 || text[escape] != '\\' || text[escape+1] != 'u' {
		return r, escape
	}
	low := hex4(text[escape+2:])
	if low < 0xDC00 || low > 0xDFFF {
		return -1, escape
	}
	return 0x10000 + (r&0x3FF)<<10 + low&0x3FF, 2 * escape
}

// hex4 reads four hexadecimal digits, or returns -1.
func hex4(text []byte) rune {
	if len(text) < 4 {
		return -1
	}
	var r rune
	for _, c := range text[:4] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case 'A' <= c && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return -1
		}
	}
	return r
}

// decodeRune reads one character of modified UTF-8. For what is none it
// returns -1 and how many bytes count as one mistake: a lead byte with the
// continuation bytes that do follow it.
func decodeRune[T string | []byte](s T) (r rune, size int) {
	lead := s[0]
	if lead < utf8.RuneSelf {
		return rune(lead), 1
	}
	if lead < 0xC0 || lead >= 0xFE {
		return -1, 1
	}
	length := 2
	for lead<<length&0x80 != 0 {
		length++
	}
	r = rune(lead & (0x7F >> length))
	for size = 1; size < length; size++ {
		if size >= len(s) || s[size]&0xC0 != 0x80 {
			return -1, size
		}
		r = r<<6 | rune(s[size]&0x3F)
	}
	overlong := length > 4 || r < smallest[length]
	if overlong && !(r == 0 && length == 2) || !isCharacter(r) {
		return -1, size
	}
	return r, size
}

// smallest is the lowest code point that needs so many bytes.
var smallest = [...]rune{2: 0x80, 3: 0x800, 4: 0x10000}

// isCharacter tells whether r may stand in a string: a code point that is
// neither a surrogate nor a noncharacter.
func isCharacter(r rune) bool {
	return r >= 0 && r <= utf8.MaxRune &&
		(r < 0xD800 || r > 0xDFFF) &&
		(r < 0xFDD0 || r > 0xFDEF) &&
		r&0xFFFE != 0xFFFE
}

// intern returns string(b), without allocating for the words every message has.
func intern(b []byte) string {
	switch string(b) {
	case "":
		return ""
	case "execute":
		return "execute"
	case "exec-oob":
		return "exec-oob"
	case "arguments":
		return "arguments"
	case "id":
		return "id"
	case "return":
		return "return"
	case "error":
		return "error"
	case "class":
		return "class"
	case "desc":
		return "desc"
	case "event":
		return "event"
	case "data":
		return "data"
	case "timestamp":
		return "timestamp"
	case "seconds":
		return "seconds"
	case "microseconds":
		return "microseconds"
	}
	return string(b)
}
