package qmp

import (
	"context"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// Options are the properties of a command that its schema states; they
// combine with |.
type Options uint

// The command options. AllowOOB and Coroutine exclude each other.
const (
	NoSuccessResponse Options = 1 << iota // answers errors only (success-response: false)
	AllowOOB                              // may be sent as exec-oob
	AllowPreconfig                        // may run before the machine is made
	Coroutine                             // may yield: RunCo is set and Run is not
	Deprecated                            // special feature, see Policy
	Unstable                              // special feature, see Policy
)

// Call tells a handler who asked. It is valid until the handler returns.
type Call struct {
	ID    any  // the request's id, nil without one
	HasID bool // tells an id of null from none
	OOB   bool // runs out of band: in the reading goroutine, without the BQL

	// Monitor is what the owner of the session put into Config.Monitor; the
	// handler and the owner agree on its type.
	Monitor any

	// Ctx ends when the answer is wanted no longer. Never nil.
	Ctx context.Context
}

// NoYield is the Y of a server whose commands never yield, such as the guest
// agent: it registers no command with the option Coroutine.
type NoYield struct{}

// Command is one entry of a [Registry]. Y is what lets a handler yield:
// *coro.Co in the machine, NoYield in the guest agent.
//
// A handler returns a value of package qobject or a [qobject.Marshaler], which
// nobody changes any more, for it may be written down later ([Reply]); nil
// stands for a command without result and is sent as {}. A handler that has
// JSON null to say returns [Null]. The error may be anything; its class and
// text come from [qerr.From].
type Command[Y any] struct {
	Name    string
	Options Options

	// Run is set unless Options has Coroutine. args is never nil, and the
	// handler may keep it.
	Run func(call *Call, args *qobject.Dict) (any, error)

	// RunCo is set iff Options has Coroutine. It runs in y, may yield it, and
	// must not keep it.
	RunCo func(y Y, call *Call, args *qobject.Dict) (any, error)
}

// Null is the result of a command whose answer is JSON null, which a plain nil
// cannot say.
var Null qobject.Marshaler = null{}

type null struct{}

func (null) QObject() any { return nil }
