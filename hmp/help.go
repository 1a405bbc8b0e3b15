package hmp

import "strings"

// help does the help command: text names a command, a sub-command, or nothing.
func (m *Monitor[Y]) help(call *Call, text string) {
	words, err := splitWords(text)
	if err != nil {
		m.report(err)
		return
	}
	m.dumpHelp(call, words)
}

// dumpHelp describes the command that words lead to; a table is described row
// by row. Words behind a command without sub-commands are ignored.
func (m *Monitor[Y]) dumpHelp(call *Call, words []string) {
	table := m.cfg.Table
	for depth, word := range words {
		cmd, ok := table.Lookup(word)
		if !ok || !m.available(cmd) {
			call.Printf("unknown command: '%s'\n", strings.Join(words[:depth+1], " "))
			return
		}
		if cmd.sub == nil {
			describe(call, words[:depth], cmd)
			return
		}
		table = cmd.sub
	}
	for i := range table.cmds {
		if m.available(&table.cmds[i]) {
			describe(call, words, &table.cmds[i])
		}
	}
}

func describe[Y any](call *Call, prefix []string, cmd *Command[Y]) {
	for _, word := range prefix {
		call.Printf("%s ", word)
	}
	call.Printf("%s %s -- %s\n", cmd.Name, cmd.Params, cmd.Help)
}

// available reports whether the command may be entered now.
func (m *Monitor[Y]) available(cmd *Command[Y]) bool { return cmd.Preconfig || m.ready() }
