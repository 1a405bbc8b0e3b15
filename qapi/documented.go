package qapi

// checkDoc compares a definition with its documentation comment. A schema
// that went through Select was checked before.
func (b *builder) checkDoc(def Definition) error {
	d := def.Head()
	switch {
	case b.keep != nil:
		return nil
	case d.Doc == nil && b.pragma.DocRequired:
		return errorf(d.Pos, "%s '%s' needs a documentation comment", def.Meta(), d.Name)
	case d.Doc == nil:
		return nil
	case d.Doc.Symbol != d.Name:
		return errorf(d.Doc.Pos, "documentation comment is for '%s', but '%s' follows", d.Doc.Symbol, d.Name)
	}
	if cmd, ok := def.(*Command); d.Doc.returned && (!ok || cmd.Ret == nil) {
		return errorf(d.Doc.Pos, "'Returns' section, but %s '%s' returns nothing", def.Meta(), d.Name)
	}
	if _, ok := def.(*Command); d.Doc.errored && !ok {
		return errorf(d.Doc.Pos, "'Errors' section, but '%s' is no command", d.Name)
	}
	members, features := documentable(def)
	if err := matchEntries(d, "member", d.Doc.Args, members, !b.pragma.DocRequired || b.pragma.DocumentationExceptions[d.Name]); err != nil {
		return err
	}
	return matchEntries(d, "feature", d.Doc.Features, features, !b.pragma.DocRequired)
}

// documentable returns the names def's comment has to describe.
func documentable(def Definition) (members, features []string) {
	feature := func(list []Feature) {
		for _, f := range list {
			features = append(features, f.Name)
		}
	}
	object := func(o *Object) {
		for _, m := range o.Members {
			members = append(members, m.Name)
			feature(m.Features)
		}
	}
	feature(def.Head().Features)
	switch d := def.(type) {
	case *Enum:
		for _, v := range d.Values {
			members = append(members, v.Name)
			feature(v.Features)
		}
	case *Object:
		if d.Base != nil && d.Base.Implicit {
			object(d.Base)
		}
		object(d)
	case *Alternate:
		for _, m := range d.Members {
			members = append(members, m.Name)
			feature(m.Features)
		}
	case *Command:
		if d.Arg != nil && d.Arg.Implicit {
			object(d.Arg)
		}
	case *Event:
		if d.Arg != nil && d.Arg.Implicit {
			object(d.Arg)
		}
	}
	return members, features
}

// matchEntries refuses entries that describe nothing and, unless lenient,
// names without an entry.
func matchEntries(d *Def, what string, entries []DocEntry, names []string, lenient bool) error {
	known := map[string]bool{}
	for _, n := range names {
		known[n] = true
		if !lenient && findEntry(entries, n) == nil {
			return errorf(d.Doc.Pos, "%s '%s' of '%s' lacks documentation", what, n, d.Name)
		}
	}
	for _, e := range entries {
		if !known[e.Name] {
			return errorf(e.Pos, "documented %s '%s' does not exist in '%s'", what, e.Name, d.Name)
		}
	}
	return nil
}
