package hmp

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Table is a set of commands, sorted by name. It is immutable and may be
// shared by any number of monitors and goroutines.
type Table[Y any] struct {
	cmds []Command[Y]
}

// NewTable checks rows and builds a table of them. It fails on a bad argument
// description, on a name given twice, and on a row with both kinds of handler.
func NewTable[Y any](rows []Command[Y]) (*Table[Y], error) {
	t := &Table[Y]{cmds: slices.Clone(rows)}
	names := make(map[string]bool, len(rows))
	for i := range t.cmds {
		c := &t.cmds[i]
		for _, name := range strings.Split(c.Name, "|") {
			if name == "" || names[name] {
				return nil, fmt.Errorf("hmp: command %q: name empty or taken", c.Name)
			}
			names[name] = true
		}
		if err := c.compile(); err != nil {
			return nil, fmt.Errorf("hmp: command %q: %w", c.Name, err)
		}
	}
	slices.SortFunc(t.cmds, func(a, b Command[Y]) int { return cmp.Compare(a.Name, b.Name) })
	return t, nil
}

func (c *Command[Y]) compile() (err error) {
	if c.Run != nil && c.RunCo != nil {
		return fmt.Errorf("both Run and RunCo are set")
	}
	if c.params, err = parseParams(c.Args); err != nil {
		return err
	}
	if len(c.Sub) > 0 {
		c.sub, err = NewTable(c.Sub)
	}
	return err
}

// Lookup finds a command by one of its names, in the table itself.
func (t *Table[Y]) Lookup(name string) (*Command[Y], bool) {
	for i := range t.cmds {
		if t.cmds[i].named(name) {
			return &t.cmds[i], true
		}
	}
	return nil, false
}

// Names lists all names of all commands in table order.
func (t *Table[Y]) Names() []string {
	var names []string
	for i := range t.cmds {
		names = append(names, strings.Split(t.cmds[i].Name, "|")...)
	}
	return names
}

func (c *Command[Y]) named(name string) bool {
	for rest, more := c.Name, true; more; {
		var one string
		one, rest, more = strings.Cut(rest, "|")
		if one == name {
			return true
		}
	}
	return false
}

// commandLine is a line of which the command's name has been read.
type commandLine[Y any] struct {
	cmd  *Command[Y]
	line string // the whole line
	rest int    // where the arguments begin
}

// typed is the command as the user wrote it, sub-command included.
func (l commandLine[Y]) typed() string {
	return strings.TrimRight(l.line[:l.rest], blanks)
}

// resolve finds the command a line names, descending into sub-tables while
// words are left. A blank line is no command and no error. When refused is not
// empty it is the message for the user.
func (t *Table[Y]) resolve(line string, ready bool) (l commandLine[Y], refused string) {
	for table := t; ; table = l.cmd.sub {
		start := skipBlanks(line, l.rest)
		if start == len(line) {
			return l, ""
		}
		end := nameEnd(line, start)
		cmd, ok := table.Lookup(line[start:end])
		switch {
		case !ok:
			return commandLine[Y]{}, fmt.Sprintf("unknown command: '%s'\n", line[:end])
		case !ready && !cmd.Preconfig:
			return commandLine[Y]{}, fmt.Sprintf("Command '%s' not available until machine initialization has completed.\n", line[:end])
		}
		l = commandLine[Y]{cmd: cmd, line: line, rest: skipBlanks(line, end)}
		if cmd.sub == nil {
			return l, ""
		}
	}
}

// nameEnd is where the name that begins at start ends: at a blank, or at the
// slash of a format ("x/4i").
func nameEnd(line string, start int) int {
	if i := strings.IndexAny(line[start:], blanks+"/"); i >= 0 {
		return start + i
	}
	return len(line)
}
