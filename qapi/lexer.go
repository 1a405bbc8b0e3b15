package qapi

import (
	"strings"
	"unicode/utf8"
)

// tokenKind tells tokens apart; punctuation is its own byte.
type tokenKind byte

const (
	tokEOF    tokenKind = 0
	tokString tokenKind = '\''
	tokTrue   tokenKind = 't'
	tokFalse  tokenKind = 'f'
	tokDoc    tokenKind = '#' // a whole ## block; text is its inner lines
)

// token is one lexical element. For strings, text is the unquoted value.
type token struct {
	kind tokenKind
	text string
	pos  Pos
}

// String describes the token for error messages.
func (t token) String() string {
	switch t.kind {
	case tokEOF:
		return "end of file"
	case tokString:
		return "string '" + t.text + "'"
	case tokTrue:
		return "'true'"
	case tokFalse:
		return "'false'"
	case tokDoc:
		return "documentation comment"
	}
	return "'" + string(rune(t.kind)) + "'"
}

// lexer splits a schema file into tokens. Plain comments vanish; a ##
// documentation block is a token.
type lexer struct {
	file string
	src  string
	off  int
	line int
}

func newLexer(file, src string) *lexer { return &lexer{file: file, src: src, line: 1} }

func (l *lexer) pos() Pos { return Pos{l.file, l.line} }

// next returns the next token; at the end it returns tokEOF for ever.
func (l *lexer) next() (token, error) {
	for l.off < len(l.src) {
		switch c := l.src[l.off]; c {
		case '\n':
			l.line++
			l.off++
		case ' ', '\t', '\r':
			l.off++
		case '#':
			doc, ok, err := l.comment()
			if err != nil || ok {
				return doc, err
			}
		case '{', '}', '[', ']', ':', ',':
			l.off++
			return token{kind: tokenKind(c), pos: l.pos()}, nil
		case '\'':
			return l.quoted()
		default:
			return l.word()
		}
	}
	return token{kind: tokEOF, pos: l.pos()}, nil
}

// restOfLine consumes up to the line's end (not the newline) and returns it.
func (l *lexer) restOfLine() string {
	rest := l.src[l.off:]
	if i := strings.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	l.off += len(rest)
	return strings.TrimRight(rest, " \t\r")
}

// atLineStart reports whether only blanks stand before the lexer on its line.
func (l *lexer) atLineStart() bool {
	before := l.src[:l.off]
	before = before[strings.LastIndexByte(before, '\n')+1:]
	return strings.TrimSpace(before) == ""
}

// comment consumes a comment. ok is set when it was a documentation block.
func (l *lexer) comment() (doc token, ok bool, err error) {
	start, atStart := l.pos(), l.atLineStart()
	if first := l.restOfLine(); first != "##" || !atStart {
		if atStart && strings.HasPrefix(first, "##") {
			return token{}, false, errorf(start, "junk after '##' at start of documentation comment")
		}
		return token{}, false, nil
	}
	var body []string
	for l.off < len(l.src) {
		l.off++ // the newline
		l.line++
		line := strings.TrimLeft(l.restOfLine(), " \t")
		switch {
		case line == "##":
			return token{kind: tokDoc, text: strings.Join(body, "\n"), pos: start}, true, nil
		case line == "#":
			body = append(body, "")
		case strings.HasPrefix(line, "# "):
			body = append(body, line[2:])
		case strings.HasPrefix(line, "##"):
			return token{}, false, errorf(l.pos(), "junk after '##' at end of documentation comment")
		case strings.HasPrefix(line, "#"):
			return token{}, false, errorf(l.pos(), "missing space after #")
		default:
			return token{}, false, errorf(start, "documentation comment must end with '##'")
		}
	}
	return token{}, false, errorf(start, "documentation comment must end with '##'")
}

// quoted consumes a string in single quotes: printable ASCII, in which a
// backslash may stand before a backslash, a slash or a quote.
func (l *lexer) quoted() (token, error) {
	pos := l.pos()
	var b strings.Builder
	for i := l.off + 1; i < len(l.src); i++ {
		c := l.src[i]
		switch {
		case c == '\'':
			l.off = i + 1
			return token{kind: tokString, text: b.String(), pos: pos}, nil
		case c == '\n':
			return token{}, errorf(pos, "missing terminating \"'\"")
		case c < ' ' || c > '~':
			return token{}, errorf(pos, "funny character in string")
		case c == '\\':
			i++
			if i == len(l.src) || !strings.ContainsRune(`\/'"`, rune(l.src[i])) {
				return token{}, errorf(pos, "unknown escape in string")
			}
			b.WriteByte(l.src[i])
		default:
			b.WriteByte(c)
		}
	}
	return token{}, errorf(pos, "missing terminating \"'\"")
}

// word consumes true or false, the only bare words there are.
func (l *lexer) word() (token, error) {
	rest := l.src[l.off:]
	n := strings.IndexFunc(rest, func(r rune) bool { return r < 'a' || r > 'z' })
	if n < 0 {
		n = len(rest)
	}
	pos := l.pos()
	switch rest[:n] {
	case "true":
		l.off += n
		return token{kind: tokTrue, pos: pos}, nil
	case "false":
		l.off += n
		return token{kind: tokFalse, pos: pos}, nil
	}
	if n == 0 {
		_, n = utf8.DecodeRuneInString(rest)
	}
	return token{}, errorf(pos, "stray %q", rest[:n])
}
