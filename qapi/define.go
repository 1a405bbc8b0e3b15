package qapi

import (
	"slices"
	"strings"
)

// builder turns parsed expressions into definitions (this file), resolves
// their references (link.go) and checks what needs them resolved (check.go).
type builder struct {
	*Schema
	pragma *Pragma
	keep   func(*Cond) bool // nil: keep everything
	names  map[string]Pos
	// finished: false while finite walks an object, true when it is done.
	finished map[*Object]bool
}

func build(src *source, keep func(*Cond) bool) (*Schema, error) {
	b := &builder{
		Schema:   &Schema{Modules: src.modules, source: src, types: map[string]Type{}, arrays: map[Type]*Array{}},
		pragma:   &src.pragma,
		keep:     keep,
		names:    map[string]Pos{},
		finished: map[*Object]bool{},
	}
	for i := range builtins {
		b.types[builtins[i].Name] = &builtins[i]
	}
	for _, e := range src.exprs {
		if err := b.define(e); err != nil {
			return nil, err
		}
	}
	for _, pass := range []func(Definition) error{b.link, b.check, b.checkDoc} {
		for _, d := range b.Definitions {
			if err := pass(d); err != nil {
				return nil, err
			}
		}
	}
	return b.Schema, nil
}

func (b *builder) kept(c *Cond) bool { return b.keep == nil || b.keep(c) }

// definers says how to read each kind of definition and which keys it has.
var definers = []struct {
	meta               string
	required, optional []string
	define             func(b *builder, d Def, n *node) (Definition, error)
}{
	{"enum", []string{"data"}, []string{"prefix"}, (*builder).enum},
	{"struct", []string{"data"}, []string{"base"}, (*builder).structure},
	{"union", []string{"data", "base", "discriminator"}, nil, (*builder).union},
	{"alternate", []string{"data"}, nil, (*builder).alternate},
	{"command", nil, []string{"data", "returns", "boxed", "gen", "success-response", "allow-oob", "allow-preconfig", "coroutine"}, (*builder).command},
	{"event", nil, []string{"data", "boxed"}, (*builder).event},
}

// define reads one top-level expression.
func (b *builder) define(e expr) error {
	for _, kind := range definers {
		name := e.get(kind.meta)
		if name == nil {
			continue
		}
		if name.kind != nodeString {
			return errorf(name.pos, "'%s' must have a string name", kind.meta)
		}
		what := kind.meta + " '" + name.str + "'"
		if err := checkKeys(e.node, what, append([]string{kind.meta}, kind.required...), append([]string{"if", "features"}, kind.optional...)); err != nil {
			return err
		}
		d := Def{Name: name.str, Module: e.pos.File, Pos: e.pos, Doc: e.doc}
		var err error
		if d.If, err = ifOf(e.node); err != nil {
			return err
		}
		if d.Features, err = b.features(e.node); err != nil {
			return err
		}
		if !b.kept(d.If) {
			return nil
		}
		def, err := kind.define(b, d, e.node)
		if err != nil {
			return err
		}
		return b.add(def)
	}
	return errorf(e.pos, "expression is missing one of 'enum', 'struct', 'union', 'alternate', 'command', 'event', 'include', 'pragma'")
}

// add checks a definition's name and enters it.
func (b *builder) add(def Definition) error {
	d := def.Head()
	if first, ok := b.names[d.Name]; ok {
		return errorf(d.Pos, "'%s' is already defined at %s", d.Name, first)
	}
	var err error
	switch t := def.(type) {
	case *Command:
		err = b.pragma.checkCommandName(d.Pos, d.Name)
	case *Event:
		err = checkEventName(d.Pos, d.Name)
	case Type:
		if _, ok := b.types[d.Name]; ok {
			return errorf(d.Pos, "'%s' is already defined as a built-in type", d.Name)
		}
		err = checkTypeName(d.Pos, def.Meta(), d.Name)
		b.types[d.Name] = t
	}
	b.names[d.Name] = d.Pos
	b.Definitions = append(b.Definitions, def)
	return err
}

// checkKeys refuses missing and unknown keys of n.
func checkKeys(n *node, what string, required, optional []string) error {
	for _, key := range required {
		if n.get(key) == nil {
			return errorf(n.pos, "%s misses key '%s'", what, key)
		}
	}
	for _, m := range n.members {
		if !slices.Contains(required, m.key) && !slices.Contains(optional, m.key) {
			return errorf(m.pos, "%s has unknown key '%s'", what, m.key)
		}
	}
	return nil
}

func ifOf(n *node) (*Cond, error) {
	if c := n.get("if"); c != nil {
		return parseCond(c)
	}
	return nil, nil
}

// features reads the 'features' of a definition, member or value.
func (b *builder) features(n *node) ([]Feature, error) {
	list := n.get("features")
	if list == nil {
		return nil, nil
	}
	if list.kind != nodeList {
		return nil, errorf(list.pos, "'features' must be an array")
	}
	var out []Feature
	for _, item := range list.items {
		name, cond, err := b.nameIf(item, "feature", "if")
		if err != nil {
			return nil, err
		}
		if err := b.pragma.checkMemberName(item.pos, "", "feature", name, false); err != nil {
			return nil, err
		}
		if hasFeature(out, name) {
			return nil, errorf(item.pos, "feature '%s' is given twice", name)
		}
		if b.kept(cond) {
			out = append(out, Feature{Name: name, If: cond, Pos: item.pos})
		}
	}
	return out, nil
}

// nameIf reads 'NAME' or {'name': 'NAME', optional keys}.
func (b *builder) nameIf(n *node, what string, optional ...string) (string, *Cond, error) {
	switch n.kind {
	case nodeString:
		return n.str, nil, nil
	case nodeObject:
		if err := checkKeys(n, what, []string{"name"}, optional); err != nil {
			return "", nil, err
		}
		if name := n.get("name"); name.kind == nodeString {
			cond, err := ifOf(n)
			return name.str, cond, err
		}
	}
	return "", nil, errorf(n.pos, "%s must be a string or an object with a string 'name'", what)
}

func (b *builder) enum(d Def, n *node) (Definition, error) {
	e := &Enum{Def: d}
	if p := n.get("prefix"); p != nil {
		if p.kind != nodeString {
			return nil, errorf(p.pos, "'prefix' must be a string")
		}
		e.Prefix = p.str
	}
	data := n.get("data")
	if data.kind != nodeList {
		return nil, errorf(data.pos, "'data' of enum '%s' must be an array", d.Name)
	}
	seen := map[string]bool{}
	for _, item := range data.items {
		name, cond, err := b.nameIf(item, "enum value", "if", "features")
		if err != nil {
			return nil, err
		}
		if err := b.pragma.checkMemberName(item.pos, d.Name, "enum value", name, true); err != nil {
			return nil, err
		}
		if seen[foldName(name)] {
			return nil, errorf(item.pos, "value '%s' collides with another value of enum '%s'", name, d.Name)
		}
		seen[foldName(name)] = true
		features, err := b.features(item)
		if err != nil {
			return nil, err
		}
		if b.kept(cond) {
			e.Values = append(e.Values, &Value{Name: name, If: cond, Features: features, Pos: item.pos})
		}
	}
	return e, nil
}

func (b *builder) structure(d Def, n *node) (Definition, error) {
	o := &Object{Def: d}
	if base := n.get("base"); base != nil {
		if base.kind != nodeString {
			return nil, errorf(base.pos, "'base' of struct '%s' must be a type name", d.Name)
		}
		o.base = Ref{Pos: base.pos, name: base.str}
	}
	var err error
	o.Members, err = b.members(n.get("data"), d.Name)
	return o, err
}

func (b *builder) union(d Def, n *node) (Definition, error) {
	o := &Object{Def: d}
	base, err := b.objectRef(n.get("base"), d.Name, "base")
	if err != nil {
		return nil, err
	}
	o.base = base
	tag := n.get("discriminator")
	if tag.kind != nodeString || tag.str == "" {
		return nil, errorf(tag.pos, "'discriminator' of union '%s' must be a string", d.Name)
	}
	o.tagName = tag.str
	data := n.get("data")
	if data.kind != nodeObject {
		return nil, errorf(data.pos, "'data' of union '%s' must be an object", d.Name)
	}
	for _, m := range data.members {
		if err := b.pragma.checkMemberName(m.pos, d.Name, "branch", m.key, true); err != nil {
			return nil, err
		}
		ref, cond, err := b.typeIf(m, "branch '"+m.key+"'")
		if err != nil {
			return nil, err
		}
		if ref.array {
			return nil, errorf(m.pos, "branch '%s' can't be an array", m.key)
		}
		if b.kept(cond) {
			o.Branches = append(o.Branches, &Branch{Case: m.key, Ref: ref, If: cond})
		}
	}
	return o, nil
}

func (b *builder) alternate(d Def, n *node) (Definition, error) {
	data := n.get("data")
	if data.kind != nodeObject || len(data.members) == 0 {
		return nil, errorf(data.pos, "'data' of alternate '%s' must be a non-empty object", d.Name)
	}
	for _, m := range data.members {
		if strings.HasPrefix(m.key, "*") {
			return nil, errorf(m.pos, "alternative '%s' can't be optional", m.key)
		}
	}
	members, err := b.members(data, d.Name)
	return &Alternate{Def: d, Members: members}, err
}

func (b *builder) command(d Def, n *node) (Definition, error) {
	c := &Command{Def: d, Gen: true, SuccessResponse: true}
	for _, f := range []struct {
		key  string
		to   *bool
		only bool
	}{
		{"boxed", &c.Boxed, true}, {"allow-oob", &c.AllowOOB, true}, {"allow-preconfig", &c.AllowPreconfig, true},
		{"coroutine", &c.Coroutine, true}, {"gen", &c.Gen, false}, {"success-response", &c.SuccessResponse, false},
	} {
		if err := flag(n, f.key, f.to, f.only); err != nil {
			return nil, err
		}
	}
	if c.Coroutine && c.AllowOOB {
		return nil, errorf(d.Pos, "flags 'allow-oob' and 'coroutine' of command '%s' are incompatible", d.Name)
	}
	var err error
	if c.arg, err = b.argument(n, d.Name, c.Boxed); err != nil {
		return nil, err
	}
	if ret := n.get("returns"); ret != nil {
		c.ret, err = typeRef(ret, "'returns'")
	}
	return c, err
}

func (b *builder) event(d Def, n *node) (Definition, error) {
	e := &Event{Def: d}
	err := flag(n, "boxed", &e.Boxed, true)
	if err == nil {
		e.arg, err = b.argument(n, d.Name, e.Boxed)
	}
	return e, err
}

// flag reads a boolean key that may only be given as the value only.
func flag(n *node, key string, to *bool, only bool) error {
	v := n.get(key)
	if v == nil {
		return nil
	}
	if v.kind != nodeBool || v.yes != only {
		return errorf(v.pos, "flag '%s' may only be %v", key, only)
	}
	*to = only
	return nil
}

// argument reads the 'data' of a command or event.
func (b *builder) argument(n *node, owner string, boxed bool) (Ref, error) {
	data := n.get("data")
	switch {
	case data == nil && boxed:
		return Ref{}, errorf(n.pos, "'boxed' requires 'data'")
	case data == nil:
		return Ref{}, nil
	case boxed && data.kind != nodeString:
		return Ref{}, errorf(data.pos, "'data' must be a type name with 'boxed': true")
	}
	return b.objectRef(data, owner, "arg")
}

// objectRef reads a type's name or the members of an implicit type, which
// becomes q_obj_OWNER-ROLE.
func (b *builder) objectRef(n *node, owner, role string) (Ref, error) {
	switch n.kind {
	case nodeString:
		return Ref{Pos: n.pos, name: n.str}, nil
	case nodeObject:
		o := &Object{Def: Def{Name: "q_obj_" + owner + "-" + role, Module: n.pos.File, Pos: n.pos}, Implicit: true}
		var err error
		o.Members, err = b.members(n, owner)
		return Ref{Pos: n.pos, Type: o, name: o.Name}, err
	}
	return Ref{}, errorf(n.pos, "must be a type name or an object")
}

// members reads the members of an object type or alternate.
func (b *builder) members(n *node, owner string) ([]*Member, error) {
	if n.kind != nodeObject {
		return nil, errorf(n.pos, "'data' of '%s' must be an object", owner)
	}
	var out []*Member
	for _, f := range n.members {
		m := &Member{Name: strings.TrimPrefix(f.key, "*"), Optional: strings.HasPrefix(f.key, "*")}
		if err := b.pragma.checkMemberName(f.pos, owner, "member", m.Name, false); err != nil {
			return nil, err
		}
		var err error
		if m.Ref, m.If, err = b.typeIf(f, "member '"+m.Name+"'", "features"); err != nil {
			return nil, err
		}
		if m.Features, err = b.features(f.value); err != nil {
			return nil, err
		}
		if b.kept(m.If) {
			out = append(out, m)
		}
	}
	return out, nil
}

// typeIf reads a type reference or {'type': REF, 'if': …, optional keys}.
func (b *builder) typeIf(f field, what string, optional ...string) (Ref, *Cond, error) {
	if f.value.kind != nodeObject {
		ref, err := typeRef(f.value, what)
		ref.Pos = f.pos
		return ref, nil, err
	}
	if err := checkKeys(f.value, what, []string{"type"}, append([]string{"if"}, optional...)); err != nil {
		return Ref{}, nil, err
	}
	ref, err := typeRef(f.value.get("type"), what)
	if err != nil {
		return Ref{}, nil, err
	}
	ref.Pos = f.pos
	cond, err := ifOf(f.value)
	return ref, cond, err
}

// typeRef reads 'NAME' or ['NAME'].
func typeRef(n *node, what string) (Ref, error) {
	switch {
	case n.kind == nodeString:
		return Ref{Pos: n.pos, name: n.str}, nil
	case n.kind == nodeList && len(n.items) == 1 && n.items[0].kind == nodeString:
		return Ref{Pos: n.pos, name: n.items[0].str, array: true}, nil
	case n.kind == nodeList:
		return Ref{}, errorf(n.pos, "%s: array type must contain a single type name", what)
	}
	return Ref{}, errorf(n.pos, "%s must be a type name or an array of one", what)
}
