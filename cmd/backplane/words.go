package main

import (
	"errors"
	"strings"
)

// A word is a part of a line at the prompt.
type word struct {
	text  string // without its quotes
	start int    // where it begins in the line
	plain bool   // text is what stands in the line: no quotes, no escapes
}

var errQuote = errors.New("a quote is not closed")

// splitWords takes a line apart at its white space. '…' keeps everything, "…"
// and the open line know backslash as an escape. JSON stands as it is, with
// its own quotes and spaces: behind ':=', and in a word that begins with a brace.
func splitWords(line string) ([]word, error) {
	var words []word
	for i := skipSpace(line, 0); i < len(line); i = skipSpace(line, i) {
		w, end, err := scanWord(line, i)
		if err != nil {
			return words, err
		}
		words = append(words, w)
		i = end
	}
	return words, nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func skipSpace(line string, i int) int {
	for i < len(line) && isSpace(line[i]) {
		i++
	}
	return i
}

// scanWord reads the word that begins at start.
func scanWord(line string, start int) (word, int, error) {
	if line[start] == '{' {
		end := skipJSON(line, start)
		return word{line[start:end], start, false}, end, nil
	}
	var text strings.Builder
	quote, plain, i := byte(0), true, start
	for ; i < len(line) && (quote != 0 || !isSpace(line[i])); i++ {
		c := line[i]
		switch {
		case quote == 0 && strings.HasSuffix(line[start:i], ":="):
			end := skipJSON(line, i)
			text.WriteString(line[i:end])
			return word{text.String(), start, false}, end, nil
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, plain = c, false
		case c == '\\' && quote != '\'' && i+1 < len(line):
			i++
			plain = false
			text.WriteByte(line[i])
		default:
			text.WriteByte(c)
		}
	}
	if quote != 0 {
		return word{}, i, errQuote
	}
	return word{text.String(), start, plain}, i, nil
}

// skipJSON returns where the JSON that begins at i ends: at white space that is
// in no string, bracket or brace, or with the line.
func skipJSON(line string, i int) int {
	depth, inString := 0, false
	for ; i < len(line); i++ {
		switch c := line[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case depth <= 0 && isSpace(c):
			return i
		}
	}
	return len(line)
}
