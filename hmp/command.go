package hmp

import (
	"slices"
	"strings"
)

// Handler is what a command does. Exactly one of Run and RunCo is set in a
// command that can be entered.
type Handler[Y any] struct {
	// Run does the command at once. An error is printed as "Error: " and
	// its text, hints behind it.
	Run func(call *Call, args *Args) error
	// RunCo does the command and may yield on the way.
	RunCo func(y Y, call *Call, args *Args) error
	// Complete proposes words for the argument being typed. args are the
	// words behind the command's name, the unfinished one last (perhaps
	// empty). Words that do not begin with it are filtered out by the
	// caller. Without Complete the kinds of the arguments decide.
	Complete func(args []string) []string
}

// Command is a row of a command table.
type Command[Y any] struct {
	// Name is all names of the command with '|' between ("help|?").
	Name string
	// Args describes the arguments as QEMU does: "key:kind" with commas
	// between; for the kinds see [Args].
	Args string
	// Params and Help are shown by the help command.
	Params, Help string
	// Preconfig allows the command before the machine is complete.
	Preconfig bool
	Handler[Y]
	// Sub is the table of sub-commands. A command with Sub and without
	// handler lists them when it is entered alone.
	Sub []Command[Y]

	params []param
	sub    *Table[Y]
}

// evaluates reports whether an argument may be an expression.
func (c *Command[Y]) evaluates() bool {
	return slices.ContainsFunc(c.params, func(p param) bool { return strings.IndexByte("ilM", p.kind) >= 0 })
}

// runnable reports whether the command, entered alone, does something.
func (c *Command[Y]) runnable() bool {
	return c.Run != nil || c.RunCo != nil || c.sub != nil
}
