package qapi

import (
	"errors"
	"io/fs"
	"path"
)

// Pragma holds what 'pragma' directives set. They hold for the whole schema,
// wherever they stand. The exceptions are names of definitions.
type Pragma struct {
	DocRequired              bool
	CommandNameExceptions    map[string]bool // commands that may contain '_' or capitals
	CommandReturnsExceptions map[string]bool // commands that may return something other than objects
	DocumentationExceptions  map[string]bool // definitions whose members need no documentation
	MemberNameExceptions     map[string]bool // definitions whose members may contain '_' or capitals
}

// source is a schema as parsed: expressions in reading order.
type source struct {
	pragma  Pragma
	modules []string
	exprs   []expr
}

// Load reads the schema whose root file is name in fsys, follows its
// includes, checks everything and resolves names. Errors about the text are
// of type *Error; an unreadable root file gives the file system's error.
func Load(fsys fs.FS, name string) (*Schema, error) {
	l := loader{fsys: fsys, seen: map[string]bool{}, src: &source{pragma: Pragma{
		CommandNameExceptions:    map[string]bool{},
		CommandReturnsExceptions: map[string]bool{},
		DocumentationExceptions:  map[string]bool{},
		MemberNameExceptions:     map[string]bool{},
	}}}
	if err := l.file(name); err != nil {
		return nil, err
	}
	return build(l.src, nil)
}

// Select returns the schema that remains when every definition, member,
// value, branch and feature is taken out whose 'if' does not hold. It fails
// where something that remains refers to something that does not.
func (s *Schema) Select(defined func(name string) bool) (*Schema, error) {
	return build(s.source, func(c *Cond) bool { return c.Holds(defined) })
}

// loader reads files, each once.
type loader struct {
	fsys fs.FS
	seen map[string]bool
	src  *source
}

func (l *loader) file(name string) error {
	if l.seen[name] {
		return nil
	}
	l.seen[name] = true
	text, err := fs.ReadFile(l.fsys, name)
	if err != nil {
		return err
	}
	l.src.modules = append(l.src.modules, name)
	exprs, err := parseFile(name, string(text))
	if err != nil {
		return err
	}
	for _, e := range exprs {
		if err := l.expr(e); err != nil {
			return err
		}
	}
	return nil
}

// expr follows an include, notes a pragma, keeps everything else.
func (l *loader) expr(e expr) error {
	inc, pragma := e.get("include"), e.get("pragma")
	if inc == nil && pragma == nil {
		l.src.exprs = append(l.src.exprs, e)
		return nil
	}
	if e.doc != nil {
		return errorf(e.doc.Pos, "documentation for '%s' is not followed by the definition", e.doc.Symbol)
	}
	if len(e.members) != 1 {
		return errorf(e.pos, "invalid '%s' directive", e.members[0].key)
	}
	if pragma != nil {
		return l.src.pragma.set(pragma)
	}
	if inc.kind != nodeString {
		return errorf(inc.pos, "value of 'include' must be a string")
	}
	name := path.Join(path.Dir(inc.pos.File), inc.str)
	if !fs.ValidPath(name) {
		return errorf(inc.pos, "include '%s' leaves the schema's directory", inc.str)
	}
	err := l.file(name)
	if pathErr := (*fs.PathError)(nil); errors.As(err, &pathErr) {
		return errorf(inc.pos, "can't read include '%s': %v", inc.str, pathErr.Err)
	}
	return err
}

// set applies one pragma directive.
func (p *Pragma) set(n *node) error {
	if n.kind != nodeObject {
		return errorf(n.pos, "value of 'pragma' must be an object")
	}
	for _, m := range n.members {
		var list map[string]bool
		switch m.key {
		case "doc-required":
			if m.value.kind != nodeBool {
				return errorf(m.pos, "pragma 'doc-required' must be boolean")
			}
			p.DocRequired = m.value.yes
			continue
		case "command-name-exceptions":
			list = p.CommandNameExceptions
		case "command-returns-exceptions":
			list = p.CommandReturnsExceptions
		case "documentation-exceptions":
			list = p.DocumentationExceptions
		case "member-name-exceptions":
			list = p.MemberNameExceptions
		default:
			return errorf(m.pos, "unknown pragma '%s'", m.key)
		}
		if err := addNames(list, m); err != nil {
			return err
		}
	}
	return nil
}

func addNames(set map[string]bool, m field) error {
	if m.value.kind != nodeList {
		return errorf(m.pos, "pragma '%s' must be a list of strings", m.key)
	}
	for _, item := range m.value.items {
		if item.kind != nodeString {
			return errorf(item.pos, "pragma '%s' must be a list of strings", m.key)
		}
		set[item.str] = true
	}
	return nil
}
