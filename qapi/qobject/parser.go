package qobject

import (
	"bytes"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// What one message may cost a server. The numbers are QEMU's, and so is what
// happens beyond them: the message is given up where it stands and the rest of
// its text is read as if it were new.
const (
	MaxTokenBytes = 64 << 20 // bytes of all tokens of a message together
	MaxTokens     = 2 << 20  // tokens of a message
	MaxNesting    = 1024     // braces and brackets open at once
)

// Parser reads a stream of JSON values, in any number of pieces cut anywhere.
// Values need nothing between them. A mistake costs the message it stands in
// and not the stream; where reading goes on is QEMU's choice, so that the
// number of error replies agrees with QEMU's too.
//
// The work is linear in the input, and the memory a Parser holds is bounded by
// its limits. The zero Parser is ready to use.
type Parser struct {
	// Limits are the costs at which a message is given up; zero for MaxTokenBytes,
	// MaxTokens and MaxNesting. They must not change while a message is read.
	Limits Limits

	lex  lexer
	emit func(v any, err error) (more bool)

	// The message in work, as far as it has come.
	build            builder
	braces, brackets int
	tokens           int
	tokenBytes       int
}

// Limits are what one message may cost.
type Limits struct {
	TokenBytes int // bytes of all tokens together
	Tokens     int // tokens
	Nesting    int // braces and brackets open at once
}

// Feed reads data and calls emit for each value or error that it completes, in
// order. Errors are *qerr.Error in QEMU's words, and v is nil with them (v and
// err are nil for JSON null). emit must not call back into the Parser. Feed
// keeps nothing of data.
func (p *Parser) Feed(data []byte, emit func(v any, err error)) {
	p.FeedSome(data, func(v any, err error) bool {
		emit(v, err)
		return true
	})
}

// FeedSome is Feed for a reader that may have to stop: it returns when emit
// has returned false, and tells how much of data it has read. The rest is to
// be fed later.
func (p *Parser) FeedSome(data []byte, emit func(v any, err error) (more bool)) (n int) {
	p.begin(emit)
	n = p.lex.feed(data, p)
	p.emit = nil
	return n
}

// Flush says that the input ends here: what could be complete is, and what
// cannot be is an error. The Parser is as new afterwards.
func (p *Parser) Flush(emit func(v any, err error)) {
	p.begin(func(v any, err error) bool {
		emit(v, err)
		return true
	})
	p.lex.flush(p)
	if p.tokens > 0 {
		p.build.fail("premature EOI")
		p.finish()
	}
	p.emit = nil
}

// Reset forgets a message half read, as after a disconnect.
func (p *Parser) Reset() {
	p.lex.reset()
	p.startMessage()
}

// Partial tells whether Feed left something unfinished: a token or a message
// that more input must complete, or garbage not yet skipped.
func (p *Parser) Partial() bool { return p.lex.state != inStart || p.tokens > 0 }

// ParseJSON reads s, which must hold exactly one value.
func ParseJSON(s string) (any, error) {
	var (
		parser Parser
		value  any
		failed error
		count  int
	)
	note := func(v any, err error) {
		switch count++; {
		case count == 1:
			value, failed = v, err
		case failed == nil:
			value, failed = nil, qerr.New("Expecting at most one JSON value")
		}
	}
	parser.Feed([]byte(s), note)
	parser.Flush(note)
	if count == 0 {
		return nil, qerr.New("Expecting a JSON value")
	}
	return value, failed
}

func (p *Parser) begin(emit func(v any, err error) bool) {
	if p.Limits == (Limits{}) {
		p.Limits = Limits{MaxTokenBytes, MaxTokens, MaxNesting}
	}
	p.lex.max = p.Limits.TokenBytes
	p.emit = emit
}

// token takes one token from the lexer. A message ends with the token that
// closes what is open, and also with one that closes what is not: either count
// below zero ends it.
func (p *Parser) token(kind state, text []byte) (more bool) {
	switch kind {
	case tokenBraceOpen:
		p.braces++
	case tokenBraceClose:
		p.braces--
	case tokenBracketOpen:
		p.brackets++
	case tokenBracketClose:
		p.brackets--
	case tokenError:
		return p.abandon(qerr.New("JSON parse error, stray '%s'", untilNUL(text)))
	}
	if err := p.overLimit(len(text)); err != nil {
		return p.abandon(err)
	}
	p.tokens++
	p.tokenBytes += len(text)
	p.build.token(kind, text)
	if p.braces < 0 || p.brackets < 0 || p.braces == 0 && p.brackets == 0 {
		return p.finish()
	}
	return true
}

// overLimit checks whether one more token of size bytes is too much.
func (p *Parser) overLimit(size int) *qerr.Error {
	switch {
	case p.tokenBytes+size >= p.Limits.TokenBytes:
		return qerr.New("JSON token size limit exceeded")
	case p.tokens >= p.Limits.Tokens:
		return qerr.New("JSON token count limit exceeded")
	case p.braces+p.brackets > p.Limits.Nesting:
		return qerr.New("JSON nesting depth limit exceeded")
	}
	return nil
}

// finish ends the message in work with whatever it came to.
func (p *Parser) finish() (more bool) {
	v, err := p.build.result()
	if err != nil {
		return p.abandon(err)
	}
	p.startMessage()
	return p.emit(v, nil)
}

// abandon ends the message in work with an error.
func (p *Parser) abandon(err *qerr.Error) (more bool) {
	p.startMessage()
	return p.emit(nil, err)
}

func (p *Parser) startMessage() {
	p.build.reset()
	p.braces, p.brackets, p.tokens, p.tokenBytes = 0, 0, 0, 0
}

// untilNUL cuts text at its first NUL byte, where a C string ends.
func untilNUL(text []byte) []byte {
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return text[:i]
	}
	return text
}
