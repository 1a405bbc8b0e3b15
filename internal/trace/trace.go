// Package trace is what a machine tells of its insides when it is asked to: the
// items of the log command, and trace events by name. A machine has one [Log]; what
// is not switched on costs a load and a branch where it would be told.
//
// The package starts no goroutines. A Log's methods are for any goroutine; its lock
// is taken last, and a write to its file may block as long as the file system does.
package trace

import (
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Item is a kind of message that the log command switches.
type Item uint32

// The items there are.
const (
	Int        Item = 1 << iota // traps that harts take
	InvalidMem                  // accesses of harts where nothing answers
)

// itemRows are the items with their names and help, as QEMU has them.
var itemRows = []struct {
	name, help string
	item       Item
}{
	{"int", "show interrupts/exceptions in short format", Int},
	{"invalid_mem", "log invalid memory accesses", InvalidMem},
}

// elsewhere are QEMU's items that this machine has nothing to say under.
var elsewhere = strings.Fields("out_asm in_asm op op_opt op_ind op_plugin exec cpu fpu mmu pcall cpu_reset unimp " +
	"guest_errors page nochain plugin strace vpu")

// Event is a trace event.
type Event int

// The events there are; names and arguments are QEMU's.
const (
	RunstateSet Event = iota
	VMStateNotify
	MemoryRegionOpsRead
	MemoryRegionOpsWrite
	RISCVTrap
	events // how many
)

var eventNames = [events]string{
	RunstateSet:          "runstate_set",
	VMStateNotify:        "vm_state_notify",
	MemoryRegionOpsRead:  "memory_region_ops_read",
	MemoryRegionOpsWrite: "memory_region_ops_write",
	RISCVTrap:            "riscv_trap",
}

// String returns the event's name.
func (e Event) String() string { return eventNames[e] }

// Log is a machine's log. The zero Log, and a nil one, has everything switched off.
type Log struct {
	items  atomic.Uint32
	traced [events]atomic.Bool

	mu   sync.Mutex
	out  io.Writer // where lines go without a file; nil for nowhere
	file *os.File
}

// New returns a log whose lines go to out until a file is named. out is written to
// by any goroutine, one at a time.
func New(out io.Writer) *Log { return &Log{out: out} }

// Wants reports whether an item is switched on.
func (l *Log) Wants(i Item) bool { return l != nil && Item(l.items.Load())&i != 0 }

// Traces reports whether an event is switched on.
func (l *Log) Traces(e Event) bool { return l != nil && l.traced[e].Load() }

// Printf writes a line; the caller has asked whether it is wanted.
func (l *Log) Printf(format string, a ...any) { l.write(fmt.Sprintf(format+"\n", a...)) }

// Trace writes the line of an event; the caller has asked whether it is traced.
func (l *Log) Trace(e Event, format string, a ...any) {
	l.write(e.String() + " " + fmt.Sprintf(format+"\n", a...))
}

// write drops what cannot be written: there is nowhere to tell of it.
func (l *Log) write(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.file != nil:
		_, _ = l.file.WriteString(line)
	case l.out != nil:
		_, _ = io.WriteString(l.out, line)
	}
}

// SetFile has lines written to a new file of that name, in which a %d stands for
// the process's number; the one before it is closed.
func (l *Log) SetFile(name string) error {
	if before, after, ok := strings.Cut(name, "%d"); ok {
		if strings.Contains(after, "%") || strings.Contains(before, "%") {
			return qerr.New("Bad logfile template: %s", name)
		}
		name = fmt.Sprint(before, os.Getpid(), after)
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|syscall.O_NONBLOCK, 0o666) // nobody waits for who reads a pipe
	if err != nil {
		return qerr.New("Error opening logfile %s: %s", name, qerr.Reason(err))
	}
	return l.replace(f)
}

// Close ends writing to a file.
func (l *Log) Close() error { return l.replace(nil) }

func (l *Log) replace(f *os.File) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.file
	l.file = f
	if old == nil {
		return nil
	}
	return old.Close()
}

// Select switches on the items of a comma-separated list and everything else off;
// "none" is nothing, and trace:PATTERN switches on trace events. known is false if an
// item is no item at all; then, and on an error, nothing changes.
func (l *Log) Select(list string) (known bool, err error) {
	var items Item
	var patterns []string
	for word := range strings.SplitSeq(list, ",") {
		if pattern, ok := strings.CutPrefix(word, "trace:"); ok {
			patterns = append(patterns, pattern)
			continue
		}
		item, err := itemOf(word)
		switch {
		case word == "none" && list == word:
		case err != nil:
			return true, err
		case item == 0:
			return false, nil
		}
		items |= item
	}
	for _, p := range patterns {
		if _, err := match(p); err != nil {
			return true, err
		}
	}
	for _, p := range patterns {
		_ = l.SetState(p, true) // it matches
	}
	l.items.Store(uint32(items))
	return true, nil
}

// itemOf finds an item by its name, 0 if there is none. One that only QEMU has, or
// all of them, is an error.
func itemOf(name string) (Item, error) {
	for _, row := range itemRows {
		if row.name == name {
			return row.item, nil
		}
	}
	for _, other := range append(elsewhere, "tid", "all") {
		if other == name {
			return 0, qerr.New("log item '%s' is not supported by this build", name)
		}
	}
	return 0, nil
}

// Help lists the items.
func Help() string {
	var b strings.Builder
	row := func(name, help string) { fmt.Fprintf(&b, "%-15s %s\n", name, help) }
	b.WriteString("Log items (comma separated):\n")
	row("none", "remove all logs")
	for _, i := range itemRows {
		row(i.name, i.help)
	}
	row("trace:PATTERN", "enable trace events")
	b.WriteString("\nUse \"log trace:help\" to get a list of trace events.\n\n")
	return b.String()
}

// State is an event and whether it is switched on.
type State struct {
	Name    string
	Enabled bool
}

// States returns the events that match a pattern of * and ?, the latest first, as
// QEMU does; a name that is no pattern must be there.
func (l *Log) States(pattern string) ([]State, error) {
	list, err := match(pattern)
	var states []State
	for i := len(list) - 1; i >= 0; i-- {
		states = append(states, State{list[i].String(), l.Traces(list[i])})
	}
	return states, err
}

// SetState switches the events that match a pattern; a name that is no pattern must
// be there.
func (l *Log) SetState(pattern string, on bool) error {
	list, err := match(pattern)
	for _, e := range list {
		l.traced[e].Store(on)
	}
	return err
}

// match finds the events that a pattern means. Without a star it is a name.
func match(pattern string) (list []Event, err error) {
	star := strings.Contains(pattern, "*")
	for e, name := range eventNames {
		ok := name == pattern
		if star {
			ok, _ = path.Match(strings.ReplaceAll(pattern, "[", "\\["), name)
		}
		if ok {
			list = append(list, Event(e))
		}
	}
	if len(list) == 0 && !star {
		return nil, qerr.New("unknown event \"%s\"", pattern)
	}
	return list, nil
}
