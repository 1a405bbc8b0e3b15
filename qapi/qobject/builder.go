package qobject

import (
	"fmt"
	"strconv"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// A builder makes one value out of tokens as they come. It is a recursive
// descent with its stack laid open, so that no token is kept and no depth of
// input is a depth of calls. After the first mistake it only waits for the
// end: the first error of a message is the one reported.
type builder struct {
	stack []frame
	value any
	err   *qerr.Error

	recent [recents]any // strings that came lately, for they come again
}

// How many strings are remembered, and how long they may be: names of commands
// and ids, so that a client that asks the same thing again costs no garbage.
const (
	recents   = 8
	maxRecent = 32
)

// A frame is an object or array that is not closed yet.
type frame struct {
	dict *Dict // nil for an array
	list []any
	key  string
	want want
}

// want is what a frame waits for.
type want uint8

const (
	wantFirst     want = iota // a first key or element, or the end
	wantKey                   // a key
	wantColon                 // the colon after a key
	wantValue                 // a member's value or an element
	wantSeparator             // a comma or the end
)

// keepFrames is how deep a stack is kept for the next message.
const keepFrames = 32

func (b *builder) reset() {
	clear(b.stack)
	b.stack = b.stack[:0]
	if cap(b.stack) > keepFrames {
		b.stack = nil
	}
	b.value, b.err = nil, nil
}

func (b *builder) result() (any, *qerr.Error) { return b.value, b.err }

// maxErrorText is how long the varying part of a parse error gets. It is
// QEMU's buffer without its final NUL.
const maxErrorText = 1023

// fail records a mistake unless there was one before.
func (b *builder) fail(format string, a ...any) {
	if b.err != nil {
		return
	}
	text := fmt.Sprintf(format, a...)
	b.err = qerr.New("JSON parse error, %s", text[:min(len(text), maxErrorText)])
	clear(b.stack)
	b.stack, b.value = b.stack[:0], nil
}

// token takes the next token of the message.
func (b *builder) token(kind state, text []byte) {
	if b.err != nil {
		return
	}
	if len(b.stack) == 0 {
		b.beginValue(kind, text)
		return
	}
	switch f := &b.stack[len(b.stack)-1]; f.want {
	case wantFirst:
		if kind == f.closer() {
			b.close()
			return
		}
		f.want = wantValue
		if f.dict != nil {
			f.want = wantKey
		}
		b.beginValue(kind, text)
	case wantKey, wantValue:
		b.beginValue(kind, text)
	case wantColon:
		if kind != tokenColon {
			b.fail("missing : in object pair")
			return
		}
		f.want = wantValue
	case wantSeparator:
		b.separator(f, kind)
	}
}

func (f *frame) closer() state {
	if f.dict != nil {
		return tokenBraceClose
	}
	return tokenBracketClose
}

// separator takes the token after a member or an element.
func (b *builder) separator(f *frame, kind state) {
	switch {
	case kind == f.closer():
		b.close()
	case kind == tokenComma && f.dict != nil:
		f.want = wantKey
	case kind == tokenComma:
		f.want = wantValue
	case f.dict != nil:
		b.fail("expected separator in dict")
	default:
		b.fail("expected separator in list")
	}
}

// beginValue takes a token where a value (or a key, which is any value until
// it is complete) has to begin.
func (b *builder) beginValue(kind state, text []byte) {
	switch kind {
	case tokenBraceOpen:
		b.stack = append(b.stack, frame{dict: newSmallDict()})
	case tokenBracketOpen:
		b.stack = append(b.stack, frame{})
	case tokenString:
		b.text(text)
	case tokenInteger, tokenFloat:
		b.complete(number(kind, string(text)))
	case tokenKeyword:
		b.keyword(text)
	default:
		b.fail("expecting value")
	}
}

func (b *builder) keyword(text []byte) {
	switch string(text) {
	case "true":
		b.complete(true)
	case "false":
		b.complete(false)
	case "null":
		b.complete(nil)
	default:
		b.fail("invalid keyword '%s'", text)
	}
}

// close ends the innermost object or array, which becomes a complete value.
func (b *builder) close() {
	top := len(b.stack) - 1
	f := b.stack[top]
	b.stack[top] = frame{}
	b.stack = b.stack[:top]
	switch {
	case f.dict != nil:
		b.complete(f.dict)
	case f.list == nil:
		b.complete([]any{})
	default:
		b.complete(f.list)
	}
}

// text takes a string, which may be a key; a key is not boxed.
func (b *builder) text(token []byte) {
	body := token[1 : len(token)-1]
	known := &b.recent[recentSlot(body)]
	s, ok := (*known).(string)
	fresh := !ok || s != string(body)
	if fresh {
		if s, ok = b.unquote(token); !ok {
			return
		}
	}
	if top := len(b.stack) - 1; top >= 0 && b.stack[top].want == wantKey {
		b.stack[top].key, b.stack[top].want = s, wantColon
		return
	}
	switch {
	case !fresh:
		b.complete(*known)
	case len(body) <= maxRecent && s == string(body): // without escapes
		*known = s
		b.complete(*known)
	default:
		b.complete(s)
	}
}

// recentSlot is where a string is remembered.
func recentSlot(body []byte) int {
	if len(body) == 0 {
		return 0
	}
	return (len(body) + int(body[0]) + int(body[len(body)-1])) % recents
}

// complete puts a complete value where it belongs.
func (b *builder) complete(v any) {
	if len(b.stack) == 0 {
		b.value = v
		return
	}
	f := &b.stack[len(b.stack)-1]
	switch {
	case f.want == wantKey:
		b.fail("key is not a string in object")
		return
	case f.dict == nil:
		f.list = append(f.list, v)
	case f.dict.Has(f.key):
		b.fail("duplicate key")
		return
	default:
		f.dict.add(f.key, v)
	}
	f.want = wantSeparator
}

// number turns the text of a number into the narrowest of int64, uint64 and
// float64 that holds it. What no float64 holds is an infinity, as in C.
func number(kind state, text string) any {
	if kind == tokenInteger {
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i
		}
		if u, err := strconv.ParseUint(text, 10, 64); err == nil {
			return u
		}
	}
	f, _ := strconv.ParseFloat(text, 64)
	return f
}
