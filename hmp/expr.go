package hmp

import (
	"errors"
	"fmt"
	"strings"
)

// maxExprDepth bounds the nesting of signs and parentheses, so that a line of
// a million parentheses is an error and not a million stack frames.
const maxExprDepth = 1000

// exprError is the message for a bad expression. It is raised by panic inside
// the evaluator, whose grammar is recursive, and caught in evalExpr.
type exprError string

// evalExpr evaluates the expression at s[i:] and returns the index behind it,
// trailing blanks included. register gives the value of $name; nil knows none.
//
// The grammar is QEMU's: a sum of logical terms of products, that is, + and -
// bind loosest, then & | ^, then * / %. Arithmetic wraps around in 64 bits.
func evalExpr(s string, i int, register Lookup) (val int64, end int, err error) {
	e := evaluator{s: s, i: i, register: register}
	defer func() {
		if r := recover(); r != nil {
			msg, ok := r.(exprError)
			if !ok {
				panic(r)
			}
			val, end, err = 0, e.i, errors.New(string(msg))
		}
	}()
	e.skip()
	val = e.sum()
	return val, e.i, nil
}

type evaluator struct {
	s        string
	i        int
	depth    int
	register Lookup
}

func (e *evaluator) fail(format string, a ...any) {
	panic(exprError(fmt.Sprintf(format, a...)))
}

// peek is the byte at hand, 0 at the end.
func (e *evaluator) peek() byte {
	if e.i < len(e.s) {
		return e.s[e.i]
	}
	return 0
}

func (e *evaluator) skip() { e.i = skipBlanks(e.s, e.i) }

// advance passes the byte at hand and blanks behind it.
func (e *evaluator) advance() {
	e.i = skipBlanks(e.s, min(e.i+1, len(e.s)))
}

// operator takes one of the operators in set, or returns 0.
func (e *evaluator) operator(set string) byte {
	op := e.peek()
	if op == 0 || strings.IndexByte(set, op) < 0 {
		return 0
	}
	e.advance()
	return op
}

func (e *evaluator) sum() int64 {
	val := e.logic()
	for {
		switch e.operator("+-") {
		case '+':
			val += e.logic()
		case '-':
			val -= e.logic()
		default:
			return val
		}
	}
}

func (e *evaluator) logic() int64 {
	val := e.product()
	for {
		switch e.operator("&|^") {
		case '&':
			val &= e.product()
		case '|':
			val |= e.product()
		case '^':
			val ^= e.product()
		default:
			return val
		}
	}
}

func (e *evaluator) product() int64 {
	val := e.unary()
	for {
		switch e.operator("*/%") {
		case '*':
			val *= e.unary()
		case '/':
			val /= e.divisor()
		case '%':
			val %= e.divisor()
		default:
			return val
		}
	}
}

func (e *evaluator) divisor() int64 {
	val := e.unary()
	if val == 0 {
		e.fail("division by zero")
	}
	return val
}

func (e *evaluator) unary() int64 {
	if e.depth++; e.depth > maxExprDepth {
		e.fail("expression is nested too deeply")
	}
	defer func() { e.depth-- }()

	switch c := e.peek(); c {
	case 0:
		e.fail("unexpected end of expression")
	case '+':
		e.advance()
		return e.unary()
	case '-':
		e.advance()
		return -e.unary()
	case '~':
		e.advance()
		return ^e.unary()
	case '(':
		return e.parenthesis()
	case '\'':
		return e.character()
	case '$':
		return e.registerValue()
	}
	return e.number()
}

func (e *evaluator) parenthesis() int64 {
	e.advance()
	val := e.sum()
	if e.peek() != ')' {
		e.fail("')' expected")
	}
	e.advance()
	return val
}

func (e *evaluator) character() int64 {
	e.i++
	c := e.peek()
	if c == 0 {
		e.fail("character constant expected")
	}
	e.i++
	if e.peek() != '\'' {
		e.fail("missing terminating ' character")
	}
	e.advance()
	return int64(int8(c)) // a C char: signed
}

func (e *evaluator) registerValue() int64 {
	e.i++
	start := e.i
	for isRegisterByte(e.peek()) {
		e.i++
	}
	name := e.s[start:e.i]
	e.skip()
	if e.register != nil {
		if val, ok := e.register(name); ok {
			return val
		}
	}
	e.fail("unknown register")
	return 0
}

func isRegisterByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.'
}

func (e *evaluator) number() int64 {
	val, n, overflow := parseUint(e.s[e.i:])
	switch {
	case overflow:
		e.fail("number too large")
	case n == 0:
		e.fail("invalid char '%s' in expression", e.s[e.i:e.i+1])
	}
	e.i = skipBlanks(e.s, e.i+n)
	return int64(val)
}
