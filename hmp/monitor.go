package hmp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/hmp/readline"
)

// Prompt is what an interactive monitor shows when it waits for a line.
const Prompt = "(qemu) "

// maxPending is how much output may wait for Take before Feed stops taking
// input. Editing redraws the whole line for every byte, so that a pasted line
// of the greatest length would otherwise become tens of megabytes at once.
const maxPending = 64 << 10

// Config is what a monitor is made of.
type Config[Y any] struct {
	// Table holds the commands.
	Table *Table[Y]
	// Hooks are the questions to the machine.
	Hooks Hooks
	// Registers returns what gives the values of $name for the CPU with index
	// cpu (NoCPU while none was chosen), at one moment. It may yield, so a line
	// with a $ is evaluated when its command runs, which fails with its error. Nil
	// knows no register.
	Registers func(y Y, cpu int) (Lookup, error)
	// Version is shown in the banner ("10.0.2").
	Version string
	// CPU is the current CPU at the start: an index or NoCPU.
	CPU int
	// Formats are the sticky defaults of print and its like. Monitors may
	// share them; nil gives the monitor its own.
	Formats *FormatDefaults
	// Owner is handed to the handlers in Call.Owner.
	Owner any
	// Columns tells how wide the terminal is, 0 for not known; it is asked before
	// each drawing, must not block, and may be nil.
	Columns func() int
}

// Lookup returns the value of a register by its name.
type Lookup func(name string) (val int64, ok bool)

// Monitor is a conversation: a terminal's, or a single line's. See the package
// comment for its rules.
type Monitor[Y any] struct {
	console
	cfg     Config[Y]
	opened  bool
	focused bool
}

// New makes an interactive monitor. It says nothing and takes no input until
// Open.
func New[Y any](cfg Config[Y]) *Monitor[Y] {
	m := newMonitor(cfg)
	m.editor = readline.New(Prompt, m.write, m.completion)
	m.editor.SetColumns(cfg.Columns)
	return m
}

// newMonitor makes one that nobody types at.
func newMonitor[Y any](cfg Config[Y]) *Monitor[Y] {
	if cfg.Formats == nil {
		cfg.Formats = NewFormatDefaults()
	}
	m := &Monitor[Y]{cfg: cfg, focused: true}
	m.cpu = cfg.CPU
	return m
}

// Open is called when a client has connected: it shows the banner and, if the
// monitor has the terminal's focus, the prompt. The history and an unfinished
// command of an earlier client stay.
func (m *Monitor[Y]) Open() {
	m.write(fmt.Sprintf("QEMU %s monitor - type 'help' for more information\n", m.cfg.Version))
	m.opened = true
	if m.focused {
		m.addSuspend(1)
		m.addSuspend(-1)
	}
}

// FocusOut is called when a multiplexed terminal turns to another user. Output
// is held back, input is refused.
func (m *Monitor[Y]) FocusOut() {
	if !m.focused {
		return
	}
	if m.opened && m.suspend == 0 {
		m.write("\n")
	}
	m.focused = false
	m.out.hold()
	m.addSuspend(1)
}

// FocusIn is called when a multiplexed terminal turns to the monitor.
func (m *Monitor[Y]) FocusIn() {
	if m.focused {
		return
	}
	m.focused = true
	m.out.release()
	m.addSuspend(-1)
}

// Wants reports whether Feed would take input now.
func (m *Monitor[Y]) Wants() bool {
	return m.opened && m.suspend == 0 && m.out.pending() < maxPending
}

// Feed takes bytes typed at the terminal. It stops behind a line that enters
// a command, and returns how many bytes it took and the command to run; the
// monitor is suspended until that has run. It also stops, without a command,
// when much output waits for Take; feed the rest after that.
func (m *Monitor[Y]) Feed(p []byte) (n int, inv *Invocation[Y]) {
	for n < len(p) && m.Wants() {
		line, done := m.editor.Feed(p[n])
		n++
		if !done {
			continue
		}
		m.addSuspend(1)
		if inv = m.prepare(line); inv != nil {
			return n, inv
		}
		m.addSuspend(-1)
	}
	return n, nil
}

// Take hands out the bytes to write to the terminal; they are the caller's.
func (m *Monitor[Y]) Take() []byte { return m.out.take() }

// CPU is the index of the current CPU, or NoCPU.
func (m *Monitor[Y]) CPU() int { return m.cpu }

// prepare finds the command of a line and reads its arguments. It returns nil
// when there is nothing to run; then it has said why, if there is a reason.
func (m *Monitor[Y]) prepare(line string) *Invocation[Y] {
	line, _, _ = strings.Cut(line, "\x00") // a C string for QEMU
	l, refused := m.cfg.Table.resolve(line, m.ready())
	if l.cmd == nil {
		m.write(refused)
		return nil
	}
	if !l.cmd.runnable() {
		m.write(fmt.Sprintf("Command \"%s\" is not available.\n", l.typed()))
		return nil
	}
	call := &Call{Name: l.cmd.Name, Owner: m.cfg.Owner, console: &m.console, help: m.help}
	inv := &Invocation[Y]{cmd: l.cmd, typed: l.typed(), call: call}
	if m.cfg.Registers != nil && l.cmd.evaluates() && strings.Contains(l.line[l.rest:], "$") {
		inv.late = func(y Y) (*Args, error) { return m.lateArguments(y, l) }
		return inv
	}
	var ok bool
	if inv.args, ok = m.arguments(l, nil); !ok {
		return nil
	}
	return inv
}

// lateArguments reads those of a line that asks for registers. The error is
// errRefused if that has been said.
func (m *Monitor[Y]) lateArguments(y Y, l commandLine[Y]) (*Args, error) {
	register, err := m.cfg.Registers(y, m.cpu)
	if err != nil {
		return nil, err
	}
	args, ok := m.arguments(l, register)
	if !ok {
		return nil, errRefused
	}
	return args, nil
}

// arguments reads those of a line; if it refuses them it has said why.
func (m *Monitor[Y]) arguments(l commandLine[Y], register Lookup) (*Args, bool) {
	args, err := m.parse(l, register)
	if err != nil {
		m.refuse(err)
		m.write(fmt.Sprintf("Try \"help %s\" for more information\n", l.typed()))
		return nil, false
	}
	return args, true
}

func (m *Monitor[Y]) parse(l commandLine[Y], register Lookup) (*Args, error) {
	p := argParser{
		name:    l.cmd.Name,
		line:    l.line,
		i:       l.rest,
		options: m.cfg.Hooks.Options,
		formats: m.cfg.Formats,

		register: register,
	}
	return p.parse(l.cmd.params)
}

// refuse shows why arguments were not taken.
func (m *Monitor[Y]) refuse(err error) {
	var bad *argError
	if errors.As(err, &bad) {
		m.write(bad.shown)
		m.report(bad.reported)
	}
}

func (m *Monitor[Y]) report(err error) {
	if err != nil && m.cfg.Hooks.Report != nil {
		m.cfg.Hooks.Report(err)
	}
}

func (m *Monitor[Y]) ready() bool { return m.cfg.Hooks.Ready == nil || m.cfg.Hooks.Ready() }
