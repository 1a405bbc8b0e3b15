package qmp

import (
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// A Reply is the answer to a request before it is written down. It holds the
// value that the handler returned, which nobody changes any more; so it may be
// written later, on another goroutine, and as often as somebody likes.
type Reply struct {
	member string // "return" or "error"; "" for no reply at all
	value  any
	id     any
	hasID  bool
	form   *Config // of the session: Pretty and LineEnd
}

// reply is the answer that a handler's result comes to.
func (inv *Invocation[Y]) reply(result any, err error) Reply {
	switch {
	case err != nil:
		return inv.failure(qerr.From(err))
	case inv.command.Options&NoSuccessResponse != 0:
		return Reply{}
	case result == nil:
		result = noResult
	}
	return inv.message("return", result)
}

// noResult is the reply of a command that has none. It is never changed.
var noResult = qobject.NewDict()

func (inv *Invocation[Y]) failure(err *qerr.Error) Reply {
	return inv.message("error", qobject.Members("class", string(err.Class), "desc", err.Desc))
}

func (inv *Invocation[Y]) message(member string, v any) Reply {
	return Reply{member: member, value: v, id: inv.call.ID, hasID: inv.call.HasID, form: &inv.session.config}
}

// Append appends the reply's line to dst; nothing for a command without success
// response.
func (r *Reply) Append(dst []byte) []byte { return r.AppendPieces(dst, 0, nil) }

// AppendPieces is Append for a reply of any size: spill is given what has been
// written each time that is about size bytes, and returns the buffer to go on
// with. The last piece is returned, and may be empty.
func (r *Reply) AppendPieces(dst []byte, size int, spill func(p []byte) []byte) []byte {
	if r.member == "" {
		return dst
	}
	e := qobject.Encoder{PieceSize: size, Spill: spill}
	if r.form.Pretty {
		e.Pretty, e.LineEnd = true, r.form.LineEnd
		line := qobject.Members(r.member, r.value)
		if r.hasID {
			line.Set("id", r.id)
		}
		return append(e.Append(dst, line), r.form.LineEnd...)
	}
	// Put together by hand, which saves the hot path its garbage: hash order has
	// "return" before "id" and "id" before "error".
	dst = append(dst, '{')
	if r.hasID && r.member == "error" {
		dst = append(appendMember(&e, dst, "id", r.id), ", "...)
	}
	dst = appendMember(&e, dst, r.member, r.value)
	if r.hasID && r.member != "error" {
		dst = appendMember(&e, append(dst, ", "...), "id", r.id)
	}
	dst = append(dst, '}')
	return append(dst, r.form.LineEnd...)
}

func appendMember(e *qobject.Encoder, dst []byte, key string, v any) []byte {
	return e.Append(append(qobject.AppendString(dst, key), ": "...), v)
}

// AppendEvent appends the line that tells the client of ev, unless it is still
// negotiating and therefore told nothing.
func (s *Session[Y]) AppendEvent(dst []byte, ev Event, at Timestamp) []byte {
	if !s.Negotiated() {
		return dst
	}
	d := qobject.Members("event", ev.Name,
		"timestamp", qobject.Members("seconds", at.Seconds, "microseconds", at.Microseconds))
	if ev.Data != nil {
		d.Set("data", ev.Data)
	}
	return s.appendLine(dst, d)
}
