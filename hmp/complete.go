package hmp

import "strings"

// completion proposes how to go on with line. It is the readline.Completer of
// an interactive monitor.
func (m *Monitor[Y]) completion(line string) (typed int, words []string) {
	args, err := splitWords(line)
	if err != nil {
		m.report(err)
		return 0, nil
	}
	if line != "" && strings.IndexByte(blanks, line[len(line)-1]) >= 0 || len(args) == 0 {
		if len(args) == maxWords {
			return 0, nil
		}
		args = append(args, "")
	}
	prefix := args[len(args)-1]
	for _, word := range m.candidates(m.cfg.Table, args) {
		if strings.HasPrefix(word, prefix) {
			words = append(words, word)
		}
	}
	return len(prefix), words
}

// candidates are the words that could stand in the place of the last of args.
func (m *Monitor[Y]) candidates(table *Table[Y], args []string) []string {
	for len(args) > 1 {
		cmd, ok := table.Lookup(args[0])
		if !ok || !m.available(cmd) {
			return nil
		}
		args = args[1:]
		switch {
		case cmd.sub != nil:
			table = cmd.sub
		case cmd.named("help"):
			table = m.cfg.Table
		case cmd.Complete != nil:
			return cmd.Complete(args)
		default:
			return m.argumentWords(cmd.params, args)
		}
	}
	var names []string
	for i := range table.cmds {
		if m.available(&table.cmds[i]) {
			names = append(names, strings.Split(table.cmds[i].Name, "|")...)
		}
	}
	return names
}

// argumentWords goes by the kind of the argument being typed. Flags are passed
// over: nothing can be proposed for them.
func (m *Monitor[Y]) argumentWords(params []param, args []string) []string {
	at := min(len(args)-1, len(params))
	for at < len(params) && params[at].kind == '-' {
		at++
	}
	if at == len(params) {
		return nil
	}
	switch hooks := &m.cfg.Hooks; {
	case params[at].kind == 'F' && hooks.Files != nil:
		return hooks.Files(args[len(args)-1])
	case params[at].kind == 'B' && hooks.Blocks != nil:
		return hooks.Blocks()
	}
	return nil
}
