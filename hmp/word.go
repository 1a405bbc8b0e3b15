package hmp

import (
	"errors"
	"fmt"
	"strings"
)

// blanks is what C's isspace takes.
const blanks = " \t\n\v\f\r"

// maxWords is how many words help and completion look at, as in QEMU; a line
// of more is left alone.
const maxWords = 16

// errNoWord: the line ended before a word began.
var errNoWord = errors.New("no word")

// skipBlanks is the first index from i on that holds no blank.
func skipBlanks(s string, i int) int {
	for i < len(s) && strings.IndexByte(blanks, s[i]) >= 0 {
		i++
	}
	return i
}

// readWord reads the word at or behind index i: up to a blank, or between
// double quotes with the escapes \n \r \\ \' \". It returns the index behind
// the word. An error other than errNoWord says what is wrong with the quoting.
func readWord(s string, i int) (word string, end int, err error) {
	i = skipBlanks(s, i)
	if i == len(s) {
		return "", i, errNoWord
	}
	if s[i] == '"' {
		return readQuoted(s, i+1)
	}
	if n := strings.IndexAny(s[i:], blanks); n >= 0 {
		return s[i : i+n], i + n, nil
	}
	return s[i:], len(s), nil
}

// readQuoted reads up to the closing quote.
func readQuoted(s string, i int) (word string, end int, err error) {
	var b strings.Builder
	for ; i < len(s) && s[i] != '"'; i++ {
		c := s[i]
		if c == '\\' {
			i++
			if c, err = unescape(s[i:]); err != nil {
				return "", i, err
			}
		}
		b.WriteByte(c)
	}
	if i >= len(s) {
		return "", len(s), errors.New("unterminated string")
	}
	return b.String(), i + 1, nil
}

func unescape(s string) (byte, error) {
	if s == "" {
		return 0, errors.New("unterminated string")
	}
	switch c := s[0]; c {
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case '\\', '\'', '"':
		return c, nil
	default:
		return 0, fmt.Errorf("unsupported escape code: '\\%c'", c)
	}
}

// splitWords cuts s into its words. Too many words, or bad quoting, are an
// error.
func splitWords(s string) ([]string, error) {
	var words []string
	for i := 0; ; {
		word, end, err := readWord(s, i)
		if errors.Is(err, errNoWord) {
			return words, nil
		}
		if err != nil {
			return nil, err
		}
		if len(words) == maxWords {
			return nil, errors.New("too many words")
		}
		words, i = append(words, word), end
	}
}
