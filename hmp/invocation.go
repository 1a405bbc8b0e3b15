package hmp

import "errors"

// Invocation is a command with its arguments, ready to run once.
type Invocation[Y any] struct {
	cmd   *Command[Y]
	typed string // the command as the user wrote it
	args  *Args
	call  *Call
	// late, unless nil, makes args when the command runs.
	late func(y Y) (*Args, error)
	err  error
}

// errRefused is the outcome of a command whose arguments are wrong, which its
// output says.
var errRefused = errors.New("hmp: the arguments were refused")

// Name is the command's name as its table has it.
func (i *Invocation[Y]) Name() string { return i.cmd.Name }

// Coroutine reports whether the command has to be run by RunCo.
func (i *Invocation[Y]) Coroutine() bool { return i.cmd.RunCo != nil || i.late != nil }

// Run runs a command that does not yield, prints its error and resumes the
// monitor. It panics when Coroutine is true.
func (i *Invocation[Y]) Run() {
	if i.Coroutine() {
		panic("hmp: coroutine command run as an ordinary one: " + i.cmd.Name)
	}
	if i.cmd.Run == nil { // a command of sub-commands, entered alone
		i.call.Help(i.typed)
		i.finish(nil)
		return
	}
	i.finish(i.cmd.Run(i.call, i.args))
}

// RunCo runs the command, whichever its kind; a coroutine command may yield to
// y meanwhile. It prints the error and resumes the monitor.
func (i *Invocation[Y]) RunCo(y Y) {
	if i.late != nil {
		args, err := i.late(y)
		if err != nil {
			i.finish(err)
			return
		}
		i.args, i.late = args, nil
	}
	if i.cmd.RunCo == nil {
		i.Run()
		return
	}
	i.finish(i.cmd.RunCo(y, i.call, i.args))
}

// Err returns what the command, which has run, failed with, or nil. It has been
// printed.
func (i *Invocation[Y]) Err() error { return i.err }

func (i *Invocation[Y]) finish(err error) {
	i.err = err
	if !errors.Is(err, errRefused) {
		i.call.PrintError(err)
	}
	if i.call.Interactive() {
		i.call.Resume()
	}
}

// Collected is the run of one line whose output is wanted as text, for
// human-monitor-command.
type Collected[Y any] struct {
	m *Monitor[Y]
	// Invocation is the command to run, nil if the line asks for none or is
	// refused; Text is complete then.
	Invocation *Invocation[Y]
}

// Collect parses line for a monitor that exists for this line alone. The
// caller runs the Invocation, if any, and then reads Text.
func Collect[Y any](cfg Config[Y], line string) *Collected[Y] {
	m := newMonitor(cfg)
	return &Collected[Y]{m: m, Invocation: m.prepare(line)}
}

// Text is all output so far, with CR LF line ends. It is not necessarily valid
// UTF-8, for commands may echo bytes of the line.
func (c *Collected[Y]) Text() string { return string(c.m.out.buf) }
