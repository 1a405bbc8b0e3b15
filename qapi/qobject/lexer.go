package qobject

// The lexer is a table: state × byte → next state. It accepts QEMU's dialect,
// which is JSON plus single-quoted strings, and makes tokens of anything that
// might be a mistake a parser explains better (any run of a–z is a keyword).
// What no token can hold is an error; then everything is skipped up to a byte
// that may begin something new.

// A state is where the lexer stands inside a token. Those from tokenBraceOpen
// on are no places to stand but results: they end a token.
type state uint8

const (
	inStart state = iota
	inDoubleQuoted
	inDoubleQuotedEscape
	inSingleQuoted
	inSingleQuotedEscape
	inSign
	inZero
	inDigits
	inPoint
	inFraction
	inExponent
	inExponentSign
	inExponentDigits
	inKeyword
	inRecovery
	numStates

	tokenBraceOpen
	tokenBraceClose
	tokenBracketOpen
	tokenBracketClose
	tokenColon
	tokenComma
	tokenInteger
	tokenFloat
	tokenKeyword
	tokenString
	tokenError

	// lookAhead marks a step that does not take its byte: the byte is the
	// first of what follows.
	lookAhead state = 0x80
)

type lexerTable [numStates][256]state

// lexerSteps is the table. It is computed once and never changed.
var lexerSteps = makeLexerTable()

func makeLexerTable() *lexerTable {
	t := new(lexerTable)
	fill := func(s state, lo, hi int, to state) {
		for b := lo; b <= hi; b++ {
			t[s][b] = to
		}
	}
	each := func(s state, bytes string, to state) {
		for i := range len(bytes) {
			t[s][bytes[i]] = to
		}
	}
	for s := range numStates {
		fill(s, 0, 255, tokenError)
	}
	each(inStart, " \t\r\n", inStart)
	each(inStart, "{", tokenBraceOpen)
	each(inStart, "}", tokenBraceClose)
	each(inStart, "[", tokenBracketOpen)
	each(inStart, "]", tokenBracketClose)
	each(inStart, ":", tokenColon)
	each(inStart, ",", tokenComma)
	each(inStart, `"`, inDoubleQuoted)
	each(inStart, `'`, inSingleQuoted)
	each(inStart, "-", inSign)
	each(inStart, "0", inZero)
	fill(inStart, '1', '9', inDigits)
	fill(inStart, 'a', 'z', inKeyword)

	quoted := func(body, escape state, quote string) {
		fill(body, 0x20, 0xFD, body)
		each(body, `\`, escape)
		each(body, quote, tokenString)
		fill(escape, 0x20, 0xFD, body)
	}
	quoted(inDoubleQuoted, inDoubleQuotedEscape, `"`)
	quoted(inSingleQuoted, inSingleQuotedEscape, `'`)

	each(inSign, "0", inZero)
	fill(inSign, '1', '9', inDigits)
	fill(inZero, 0, 255, tokenInteger|lookAhead)
	fill(inZero, '0', '9', tokenError)
	fill(inDigits, 0, 255, tokenInteger|lookAhead)
	fill(inDigits, '0', '9', inDigits)
	each(inZero, ".", inPoint) // and no exponent: "0e1" is 0, and a keyword
	each(inDigits, ".", inPoint)
	each(inDigits, "eE", inExponent)
	fill(inPoint, '0', '9', inFraction)
	fill(inFraction, 0, 255, tokenFloat|lookAhead)
	fill(inFraction, '0', '9', inFraction)
	each(inFraction, "eE", inExponent)
	each(inExponent, "+-", inExponentSign)
	fill(inExponent, '0', '9', inExponentDigits)
	fill(inExponentSign, '0', '9', inExponentDigits)
	fill(inExponentDigits, 0, 255, tokenFloat|lookAhead)
	fill(inExponentDigits, '0', '9', inExponentDigits)

	fill(inKeyword, 0, 255, tokenKeyword|lookAhead)
	fill(inKeyword, 'a', 'z', inKeyword)

	// After an error: a structural character, a control character (but no
	// tab) or one of the two bytes UTF-8 never has begins anew.
	fill(inRecovery, 0x20, 0xFD, inRecovery)
	fill(inRecovery, 0x00, 0x1F, inStart|lookAhead)
	fill(inRecovery, 0xFE, 0xFF, inStart|lookAhead)
	each(inRecovery, "\t", inRecovery)
	each(inRecovery, "{}[]:,", inStart|lookAhead)
	return t
}

// A lexer cuts bytes into tokens. A token that lies wholly inside one chunk is
// handed on without a copy; one that spans chunks is gathered in carry.
type lexer struct {
	state state
	carry []byte // the bytes so far of a token begun in an earlier chunk
	max   int    // bytes a token may have
}

// keepCarry is the largest gathering buffer kept for the next token, so that
// one long argument does not hold memory for the life of a connection.
const keepCarry = 64 << 10

// A tokenSink takes tokens from a lexer, and says whether it wants more now.
// The text is valid during the call only.
type tokenSink interface {
	token(kind state, text []byte) (more bool)
}

// feed runs p through the table and hands each token found to sink, until the
// end of p or until sink wants no more. It returns how much of p it has dealt
// with. A token that outgrows max is handed on with the kind numStates, and
// what follows its first max+1 bytes counts as a new beginning.
func (l *lexer) feed(p []byte, sink tokenSink) int {
	from := 0 // where the current token's part of p begins
	for i := 0; i < len(p); {
		if l.state == inStart {
			from = i
		}
		if l.state == inDoubleQuoted || l.state == inSingleQuoted {
			i = l.skipPlain(p, i, from)
			if i == len(p) {
				break
			}
		}
		next := lexerSteps[l.state][p[i]]
		if next&lookAhead == 0 {
			i++
		}
		switch next &^= lookAhead; {
		case next == inStart || next == inRecovery:
			l.state = next
		case next > numStates:
			l.state = inStart
			if next == tokenError {
				l.state = inRecovery
			}
			if !sink.token(next, l.take(p[from:i])) {
				return i
			}
		case len(l.carry)+i-from > l.max:
			l.state = inStart
			if !sink.token(numStates, l.take(p[from:i])) {
				return i
			}
		default:
			l.state = next
		}
	}
	if l.state != inStart && l.state != inRecovery {
		l.carry = append(l.carry, p[from:]...)
	}
	return len(p)
}

// skipPlain returns the position of the first byte of p from i on that is not
// simply one more byte of a string. It stops early where the token gets too
// long, for feed to see that.
func (l *lexer) skipPlain(p []byte, i, from int) int {
	end := min(len(p), from+l.max-len(l.carry))
	steps := &lexerSteps[l.state]
	for i < end && steps[p[i]] == l.state {
		i++
	}
	return i
}

// flush ends the input: a token that could end here does, and half a string
// is an error.
func (l *lexer) flush(sink tokenSink) {
	if l.state != inStart && l.state != inRecovery {
		sink.token(lexerSteps[l.state][0]&^lookAhead, l.take(nil))
	}
	l.state = inStart
}

// take returns the whole text of the token that ends with tail.
func (l *lexer) take(tail []byte) []byte {
	if len(l.carry) == 0 {
		return tail
	}
	l.carry = append(l.carry, tail...)
	text := l.carry
	l.carry = text[:0]
	if cap(l.carry) > keepCarry {
		l.carry = nil
	}
	return text
}

// reset forgets everything but the limit.
func (l *lexer) reset() { *l = lexer{max: l.max, carry: l.carry[:0]} }
