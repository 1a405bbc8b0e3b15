// Package hmp is the human monitor: a table of commands, the parser of their
// arguments, and the conversation with a terminal or with
// human-monitor-command. Texts and layouts are those of QEMU 10.0.
//
// The package knows no machine. Handlers are bound by the caller
// ([StandardTable]), and what a handler may yield to is the type parameter Y
// (*coro.Co in the machine). What is left to the caller at run time, such as
// register values and option lists, is asked for through [Hooks].
//
// # A conversation
//
// A [Monitor] is a state machine without I/O:
//
//	m.Open()                         // banner and prompt
//	n, inv := m.Feed(bytes)          // takes what it wants of the input
//	if inv != nil { inv.Run() }      // or inv.RunCo(co); then the prompt
//	conn.Write(m.Take())             // what the terminal shall show
//
// Between Feed returning an invocation and the end of its Run the monitor is
// suspended and Feed takes nothing; that is how a slow command holds back its
// terminal and nothing else. For human-monitor-command, [Collect] makes a
// monitor of one line whose output is read at the end.
//
// # Rules
//
// No goroutines are started and no locks are taken. A Monitor, its invocations
// and their Calls belong together to one goroutine or one lock of the caller's
// (in the machine: the big lock). Nothing here blocks but the handlers.
// Tables are immutable once built and are shared freely.
//
// Sub-packages: readline edits a line, view lays out what info prints.
package hmp
