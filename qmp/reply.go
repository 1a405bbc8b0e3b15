package qmp

import (
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// appendReply appends what a handler's result comes to.
func (inv *Invocation[Y]) appendReply(dst []byte, result any, err error) []byte {
	if err != nil {
		return inv.appendError(dst, qerr.From(err))
	}
	if inv.command.Options&NoSuccessResponse != 0 {
		return dst
	}
	if result == nil {
		result = noResult
	}
	return inv.appendMessage(dst, "return", result)
}

// noResult is the reply of a command that has none. It is never changed.
var noResult = qobject.NewDict()

func (inv *Invocation[Y]) appendError(dst []byte, err *qerr.Error) []byte {
	return inv.appendMessage(dst, "error",
		qobject.Members("class", string(err.Class), "desc", err.Desc))
}

// appendMessage appends a reply with the given member. Unless it is to be
// pretty, it is put together by hand, which saves the hot path its garbage:
// hash order has "return" before "id" and "id" before "error".
func (inv *Invocation[Y]) appendMessage(dst []byte, key string, v any) []byte {
	if inv.session.config.Pretty {
		reply := qobject.Members(key, v)
		if inv.call.HasID {
			reply.Set("id", inv.call.ID)
		}
		return inv.session.appendLine(dst, reply)
	}
	dst = append(dst, '{')
	if inv.call.HasID && key == "error" {
		dst = append(appendMember(dst, "id", inv.call.ID), ", "...)
	}
	dst = appendMember(dst, key, v)
	if inv.call.HasID && key != "error" {
		dst = appendMember(append(dst, ", "...), "id", inv.call.ID)
	}
	dst = append(dst, '}')
	return append(dst, inv.session.config.LineEnd...)
}

func appendMember(dst []byte, key string, v any) []byte {
	return qobject.Append(append(qobject.AppendString(dst, key), ": "...), v)
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
