package qmp

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// Config says what kind of server a [Session] belongs to.
type Config struct {
	// Greeting is the value sent when a client connects, such as what
	// [Greeting] makes. With nil there is no greeting and no negotiation: the
	// session takes commands at once, as the guest agent does.
	Greeting *qobject.Dict

	// OOB tells that out-of-band execution is offered. Greeting has to say
	// the same.
	OOB bool

	// Pretty spreads replies over lines (the monitor option pretty=on).
	Pretty bool

	// LineEnd ends each line sent, "\r\n" when empty. The guest agent has "\n".
	LineEnd string

	// Deadlines has requests take the member DeadlineName, whose meaning is the
	// owner's: see [Request.Deadline].
	Deadlines bool

	// Monitor is handed to handlers in Call.Monitor.
	Monitor any
}

// Version is what a greeting says about the server.
type Version struct {
	Major, Minor, Micro int64
	Package             string
}

// Greeting returns the greeting of a QMP monitor.
func Greeting(v Version, oob bool) *qobject.Dict {
	capabilities := []any{}
	if oob {
		capabilities = append(capabilities, capOOB)
	}
	return qobject.Members("QMP", qobject.Members(
		"version", qobject.Members(
			"qemu", qobject.Members("major", v.Major, "minor", v.Minor, "micro", v.Micro),
			"package", v.Package),
		"capabilities", capabilities))
}

// Session is the server's side of one connection: bytes in, requests out;
// requests in, reply lines out. It does no I/O and keeps no queue.
//
// Opened, Feed and Closed belong to the reader of the connection and must not
// run at the same time. Everything else may be called from any goroutine, for
// an out-of-band command runs in the reader while another is in work elsewhere.
// Nothing blocks, apart from what handlers do.
type Session[Y any] struct {
	config   Config
	commands *Registry[Y]
	parser   qobject.Parser
	emit     func(Request) (more bool)          // Feed's
	parsed   func(v any, err error) (more bool) // calls it; made once
	mode     atomic.Uint32
}

// The modes of a session, in Session.mode.
const (
	modeNegotiation uint32 = iota // only qmp_capabilities, no events
	modeCommand
	modeCommandOOB // exec-oob is understood
)

// NewSession returns a session, as yet without a client, for the commands of
// reg.
func NewSession[Y any](reg *Registry[Y], config Config) *Session[Y] {
	if config.LineEnd == "" {
		config.LineEnd = "\r\n"
	}
	s := &Session[Y]{config: config, commands: reg}
	s.parsed = s.request
	s.restart()
	return s
}

// Opened starts anew with the client that has just connected, and appends the
// greeting to dst.
func (s *Session[Y]) Opened(dst []byte) []byte {
	s.restart()
	if s.config.Greeting == nil {
		return dst
	}
	return s.appendLine(dst, s.config.Greeting)
}

// Closed forgets the client: half a message, and the capabilities it chose.
// Requests not begun are the owner's to drop. A command in work finishes, and
// its reply goes to whoever is connected then.
func (s *Session[Y]) Closed() { s.restart() }

func (s *Session[Y]) restart() {
	s.parser.Reset()
	if s.config.Greeting == nil {
		s.mode.Store(modeCommand)
		return
	}
	s.mode.Store(modeNegotiation)
}

// Negotiated tells whether the client has left negotiation mode. Only then it
// is sent events.
func (s *Session[Y]) Negotiated() bool { return s.mode.Load() != modeNegotiation }

// OOBEnabled tells whether the client has switched out-of-band execution on.
// It decides how much may be queued: see [Backlog].
func (s *Session[Y]) OOBEnabled() bool { return s.mode.Load() == modeCommandOOB }

// Request is one message of a client: a value, or the error that reading one
// came to. Every request gets one reply (but see NoSuccessResponse).
type Request struct {
	value any
	err   *qerr.Error

	// OOB tells that the request is to be dispatched at once, by the reader,
	// without taking a turn in the queue. It does not say that it will
	// succeed.
	OOB bool
}

// Feed reads p and calls emit for each message it completes, in order, until
// emit returns false: so the owner stops in the middle of p when its queue is
// full (see [Backlog]), and what comes later is read under the mode that is in
// force then. Feed returns how much of p it has read, and keeps nothing of it.
// emit may dispatch the request, but must not call Feed, Opened or Closed.
func (s *Session[Y]) Feed(p []byte, emit func(Request) (more bool)) (n int) {
	s.emit = emit
	defer func() { s.emit = nil }()
	return s.parser.FeedSome(p, s.parsed)
}

// request takes what the parser has.
func (s *Session[Y]) request(v any, err error) (more bool) {
	if err != nil {
		return s.emit(Request{err: qerr.From(err)})
	}
	d, _ := v.(*qobject.Dict)
	return s.emit(Request{value: v, OOB: d.Has("exec-oob") && !d.Has("execute")})
}

// Command returns the name of the command that the request is for, "" if it has
// none.
func (r *Request) Command() string {
	d, _ := r.value.(*qobject.Dict)
	verb := "execute"
	if r.OOB {
		verb = "exec-oob"
	}
	v, _ := d.Get(verb)
	name, _ := v.(string)
	return name
}

// ID returns the request's id and whether it has one.
func (r *Request) ID() (id any, ok bool) {
	d, _ := r.value.(*qobject.Dict)
	return d.Get("id")
}

// DeadlineName is the member of a request that says within how many
// milliseconds its client wants it done; QEMU has no such thing.
const DeadlineName = "x-deadline-ms"

// maxDeadline keeps a deadline within what a time.Duration holds.
const maxDeadline = 1 << 32

// Deadline returns how long after the request was read its client gives it up,
// and whether it says so. What is no whole number says nothing; Prepare
// reports it.
func (r *Request) Deadline() (after time.Duration, ok bool) {
	d, _ := r.value.(*qobject.Dict)
	v, _ := d.Get(DeadlineName)
	ms, ok := v.(int64)
	return time.Duration(min(ms, maxDeadline)) * time.Millisecond, ok && ms >= 0
}

// Invocation is a request that has been checked against the registry: either
// a command ready to run, or an error ready to be sent. It is used once.
type Invocation[Y any] struct {
	session *Session[Y]
	command *Command[Y]
	call    Call
	args    *qobject.Dict
	none    qobject.Dict // args of a request that has none
	err     *qerr.Error
}

// Prepare checks r the way and in the order QEMU does. It must be called when
// the request's turn has come and not before, because the command in front of
// it may change what the checks say. ctx ends when nobody wants the answer any
// more; it reaches the handler in [Call].
func (s *Session[Y]) Prepare(ctx context.Context, r Request) *Invocation[Y] {
	inv := new(Invocation[Y])
	s.PrepareIn(ctx, inv, r)
	return inv
}

// PrepareIn is Prepare for an owner that keeps the Invocation to use it again:
// inv, which is anything but in use, is made anew.
func (s *Session[Y]) PrepareIn(ctx context.Context, inv *Invocation[Y], r Request) {
	*inv = Invocation[Y]{session: s, err: r.err}
	inv.call = Call{OOB: r.OOB, Monitor: s.config.Monitor, Ctx: ctx}
	inv.call.ID, inv.call.HasID = r.ID()
	if inv.err == nil {
		inv.resolve(r.value)
	}
	if inv.err != nil && inv.err.Class == qerr.CommandNotFound && !s.Negotiated() {
		inv.err = errNegotiate
	}
}

// resolve finds the command a message names, or the reason why not.
func (inv *Invocation[Y]) resolve(message any) {
	s := inv.session
	name, args, err := s.parseMessage(message)
	switch {
	case err != nil:
		inv.err = err
	case name == CapabilitiesName && s.config.Greeting != nil:
		inv.command, inv.args, inv.err = s.capabilitiesCommand(inv.call.OOB), args, nil
		if inv.command == nil {
			inv.err = qerr.New("The command %s does not support OOB", name)
		}
	case !s.Negotiated():
		inv.err = errNegotiate
	default:
		inv.command, inv.err = s.commands.admit(name, inv.call.OOB)
		inv.args = args
	}
	if inv.args == nil {
		inv.args = &inv.none
	}
}

// Name returns the name of the command about to run, "" if there is none.
func (inv *Invocation[Y]) Name() string {
	if inv.command == nil {
		return ""
	}
	return inv.command.Name
}

// Coroutine tells that the command has to run by DispatchCo, in a coroutine of
// the context where coroutine commands run. An invocation that is only an
// error is no coroutine.
func (inv *Invocation[Y]) Coroutine() bool {
	return inv.command != nil && inv.command.Options&Coroutine != 0
}

// Refuse makes the request an error, for an owner that does not want to run it.
func (inv *Invocation[Y]) Refuse(err *qerr.Error) { inv.command, inv.err = nil, err }

// Dispatch is Answer that appends the reply's line to dst.
func (inv *Invocation[Y]) Dispatch(dst []byte) []byte {
	r := inv.Answer()
	return r.Append(dst)
}

// Answer runs the command, or takes the error there is already. It panics if the
// command is a coroutine.
func (inv *Invocation[Y]) Answer() Reply {
	if inv.Coroutine() {
		panic("qmp: coroutine command " + inv.command.Name + " dispatched without a coroutine")
	}
	if inv.err != nil {
		return inv.failure(inv.err)
	}
	return inv.reply(inv.command.Run(&inv.call, inv.args))
}

// DispatchCo is AnswerCo that appends the reply's line to dst.
func (inv *Invocation[Y]) DispatchCo(y Y, dst []byte) []byte {
	r := inv.AnswerCo(y)
	return r.Append(dst)
}

// AnswerCo is Answer for a coroutine command, which runs in y and may yield it.
// It panics if the command is no coroutine.
func (inv *Invocation[Y]) AnswerCo(y Y) Reply {
	if !inv.Coroutine() {
		panic("qmp: command " + inv.Name() + " dispatched as a coroutine")
	}
	return inv.reply(inv.command.RunCo(y, &inv.call, inv.args))
}

// parseMessage takes a message apart; args is nil if it has none. Members are looked at in hash order, and
// the first mistake is the one reported.
func (s *Session[Y]) parseMessage(message any) (name string, args *qobject.Dict, err *qerr.Error) {
	d, ok := message.(*qobject.Dict)
	if !ok {
		return "", nil, qerr.New("QMP input must be a JSON object")
	}
	verb := ""
	for key, v := range d.Wire() {
		switch {
		case key == "id":
		case key == "execute" || key == "exec-oob" && s.OOBEnabled():
			if name, ok = v.(string); !ok {
				return "", nil, qerr.New("QMP input member '%s' must be a string", key)
			}
			if verb != "" {
				return "", nil, qerr.New("QMP input member '%s' clashes with '%s'", key, verb)
			}
			verb = key
		case key == "arguments":
			if args, ok = v.(*qobject.Dict); !ok {
				return "", nil, qerr.New("QMP input member 'arguments' must be an object")
			}
		case key == DeadlineName && s.config.Deadlines:
			if ms, ok := v.(int64); !ok || ms < 0 {
				return "", nil, qerr.New("QMP input member '%s' must be a number of milliseconds", key)
			}
		default:
			return "", nil, qerr.New("QMP input member '%s' is unexpected", key)
		}
	}
	if verb == "" {
		return "", nil, qerr.New("QMP input lacks member 'execute'")
	}
	return name, args, nil
}

func (s *Session[Y]) appendLine(dst []byte, v any) []byte {
	e := qobject.Encoder{Pretty: s.config.Pretty, LineEnd: s.config.LineEnd}
	return append(e.Append(dst, v), s.config.LineEnd...)
}
