package qmp

import (
	"fmt"
	"sync/atomic"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Registry is the set of commands of one server.
//
// Commands are added while the server is made; from then on every method but
// Add may be called from any goroutine, and none blocks.
type Registry[Y any] struct {
	byName map[string]*entry[Y]
	names  []string

	preconfig atomic.Bool
	policy    atomic.Pointer[Policy]
}

type entry[Y any] struct {
	Command[Y]
	disabled atomic.Pointer[string] // the reason, perhaps ""; nil while enabled
}

// Policy says what to do with commands that the schema marks.
// Source: QEMU's option -compat (deprecated-input, unstable-input).
type Policy struct {
	RejectDeprecated bool
	RejectUnstable   bool
}

// NewRegistry returns a registry without commands, in the normal phase and
// with a policy that accepts everything.
func NewRegistry[Y any]() *Registry[Y] {
	const about = 128 // commands of a machine
	r := &Registry[Y]{byName: make(map[string]*entry[Y], about), names: make([]string, 0, about)}
	r.policy.Store(&Policy{})
	return r
}

// Add registers c. It fails if the name is taken or empty, if the handlers do
// not match the options, or if the options exclude each other.
func (r *Registry[Y]) Add(c Command[Y]) error {
	co := c.Options&Coroutine != 0
	switch {
	case c.Name == "":
		return fmt.Errorf("qmp: a command without a name")
	case r.byName[c.Name] != nil:
		return fmt.Errorf("qmp: command %s is registered twice", c.Name)
	case co != (c.RunCo != nil) || co == (c.Run != nil):
		return fmt.Errorf("qmp: the handlers of command %s do not match its options", c.Name)
	case co && c.Options&AllowOOB != 0:
		return fmt.Errorf("qmp: command %s is both a coroutine and out of band", c.Name)
	}
	r.byName[c.Name] = &entry[Y]{Command: c}
	r.names = append(r.names, c.Name)
	return nil
}

// Lookup returns the command called name, or nil. The caller must not change
// it.
func (r *Registry[Y]) Lookup(name string) *Command[Y] {
	if e := r.byName[name]; e != nil {
		return &e.Command
	}
	return nil
}

// Names returns the names of all commands, also disabled ones, in the order
// they were added. The caller owns the slice.
func (r *Registry[Y]) Names() []string { return append([]string(nil), r.names...) }

// Disable makes name answer CommandNotFound "Command … has been disabled",
// with the reason behind a colon unless it is empty. It does nothing for an
// unknown name.
func (r *Registry[Y]) Disable(name, reason string) {
	if e := r.byName[name]; e != nil {
		e.disabled.Store(&reason)
	}
}

// Enable takes Disable back.
func (r *Registry[Y]) Enable(name string) {
	if e := r.byName[name]; e != nil {
		e.disabled.Store(nil)
	}
}

// Enabled tells whether name exists and is not disabled.
func (r *Registry[Y]) Enabled(name string) bool {
	e := r.byName[name]
	return e != nil && e.disabled.Load() == nil
}

// SetPreconfig enters or leaves the phase before the machine is made, in which
// only commands with AllowPreconfig run.
func (r *Registry[Y]) SetPreconfig(on bool) { r.preconfig.Store(on) }

// SetPolicy replaces the policy for marked commands.
func (r *Registry[Y]) SetPolicy(p Policy) { r.policy.Store(&p) }

// admit returns the command called name if it may run now, and otherwise the
// error QEMU gives. The checks stand in QEMU's order.
func (r *Registry[Y]) admit(name string, oob bool) (*Command[Y], *qerr.Error) {
	e := r.byName[name]
	if e == nil {
		return nil, qerr.Newc(qerr.CommandNotFound, "The command %s has not been found", name)
	}
	policy := r.policy.Load()
	if policy.RejectDeprecated && e.Options&Deprecated != 0 {
		return nil, qerr.Newc(qerr.CommandNotFound, "Deprecated command %s disabled by policy", name)
	}
	if policy.RejectUnstable && e.Options&Unstable != 0 {
		return nil, qerr.Newc(qerr.CommandNotFound, "Unstable command %s disabled by policy", name)
	}
	if reason := e.disabled.Load(); reason != nil {
		if *reason == "" {
			return nil, qerr.Newc(qerr.CommandNotFound, "Command %s has been disabled", name)
		}
		return nil, qerr.Newc(qerr.CommandNotFound, "Command %s has been disabled: %s", name, *reason)
	}
	if oob && e.Options&AllowOOB == 0 {
		return nil, qerr.New("The command %s does not support OOB", name)
	}
	if r.preconfig.Load() && e.Options&AllowPreconfig == 0 {
		return nil, qerr.New("The command '%s' is permitted only after machine initialization has completed", name)
	}
	return &e.Command, nil
}
