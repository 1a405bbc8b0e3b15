package qapi

import (
	"maps"
	"regexp"
	"slices"
)

// check applies the rules that need references resolved.
func (b *builder) check(def Definition) error {
	switch d := def.(type) {
	case *Object:
		return b.checkObject(d)
	case *Alternate:
		return checkAlternate(d)
	case *Command:
		if err := b.checkArg(d.Arg, d.arg, d.Boxed, d.Name); err != nil {
			return err
		}
		return b.checkReturns(d)
	case *Event:
		return b.checkArg(d.Arg, d.arg, d.Boxed, d.Name)
	}
	return nil
}

// finite walks what an object holds by value: its base and the mandatory
// members that are objects. A walk that comes back has no finite value.
func (b *builder) finite(o *Object) error {
	done, seen := b.finished[o]
	switch {
	case done:
		return nil
	case seen:
		return errorf(o.Pos, "%s '%s' contains itself", o.Meta(), o.Name)
	}
	b.finished[o] = false
	if o.Base != nil {
		if err := b.finite(o.Base); err != nil {
			return err
		}
	}
	for _, m := range o.Members {
		if in, ok := m.Type.(*Object); ok && !m.Optional {
			if err := b.finite(in); err != nil {
				return err
			}
		}
	}
	b.finished[o] = true
	return nil
}

func (b *builder) checkObject(o *Object) error {
	if err := b.finite(o); err != nil {
		return err
	}
	seen := map[string]*Member{}
	if err := collide(o, o, seen); err != nil {
		return err
	}
	if o.IsUnion() {
		return b.checkUnion(o, seen)
	}
	return nil
}

// collide enters o's members into seen and refuses names that are there.
func collide(owner, o *Object, seen map[string]*Member) error {
	for _, m := range o.AllMembers() {
		key := foldName(m.Name)
		if first := seen[key]; first != nil {
			return errorf(m.Pos, "member '%s' of '%s' collides with member '%s' at %s", m.Name, owner.Name, first.Name, first.Pos)
		}
		seen[key] = m
	}
	return nil
}

func (b *builder) checkUnion(o *Object, seen map[string]*Member) error {
	for _, m := range o.AllMembers() {
		if m.Name == o.tagName {
			o.Tag = m
		}
	}
	if o.Tag == nil {
		return errorf(o.Pos, "discriminator '%s' of union '%s' is not a member of 'base'", o.tagName, o.Name)
	}
	enum, ok := o.Tag.Type.(*Enum)
	switch {
	case !ok:
		return errorf(o.Pos, "discriminator '%s' of union '%s' must be of enum type", o.tagName, o.Name)
	case o.Tag.Optional:
		return errorf(o.Pos, "discriminator '%s' of union '%s' must not be optional", o.tagName, o.Name)
	case o.Tag.If != nil:
		return errorf(o.Pos, "discriminator '%s' of union '%s' must not be conditional", o.tagName, o.Name)
	case len(o.Branches) == 0:
		return errorf(o.Pos, "union '%s' has no branches", o.Name)
	}
	for _, br := range o.Branches {
		if !enum.Has(br.Case) {
			return errorf(br.Pos, "branch '%s' of '%s' is not a value of enum '%s'", br.Case, o.Name, enum.Name)
		}
		if err := b.checkBranch(o, br.Object(), seen, 1); err != nil {
			return err
		}
	}
	return nil
}

// maxUnionDepth bounds unions that are branches of unions. QEMU's schema has
// two levels; the work to check them grows with the power of the depth.
const maxUnionDepth = 4

// checkBranch refuses a branch, and what a union in it adds, whose members
// collide with those outside.
func (b *builder) checkBranch(owner, o *Object, outer map[string]*Member, depth int) error {
	if depth > maxUnionDepth {
		return errorf(owner.Pos, "branches of union '%s' are nested too deeply", owner.Name)
	}
	if err := b.finite(o); err != nil {
		return err
	}
	seen := maps.Clone(outer)
	if err := collide(owner, o, seen); err != nil {
		return err
	}
	for _, br := range o.Branches {
		if err := b.checkBranch(owner, br.Object(), seen, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// wire is how a type looks to one who has not decoded it.
func wire(t Type) string {
	switch t := t.(type) {
	case *Builtin:
		if t.JSON == "int" {
			return "number"
		}
		return t.JSON
	case *Enum:
		return "string"
	case *Array:
		return "array"
	case *Object:
		return "object"
	}
	return "" // an alternate: no alternative
}

var numberStart = regexp.MustCompile(`^[-+0-9.]`)

// checkAlternate refuses alternatives that can't be told apart, in JSON or as
// strings (key=value input has nothing else).
func checkAlternate(a *Alternate) error {
	seen := map[string]string{}
	for _, m := range a.Members {
		kind := wire(m.Type)
		if kind == "" || kind == "value" {
			return errorf(m.Pos, "alternative '%s' of '%s' can't be of type '%s'", m.Name, a.Name, m.name)
		}
		clashes := []string{kind}
		if kind == "string" {
			clashes = append(clashes, stringClashes(m.Type)...)
		}
		for _, c := range clashes {
			if other, ok := seen[c]; ok {
				return errorf(m.Pos, "alternative '%s' of '%s' can't be told apart from '%s'", m.Name, a.Name, other)
			}
			seen[c] = m.Name
		}
	}
	return nil
}

// stringClashes says which other types a string type could be mistaken for.
func stringClashes(t Type) []string {
	enum, ok := t.(*Enum)
	if !ok {
		return []string{"number", "boolean"}
	}
	var out []string
	if enum.Has("on") || enum.Has("off") {
		out = append(out, "boolean")
	}
	if slices.ContainsFunc(enum.Values, func(v *Value) bool { return numberStart.MatchString(v.Name) }) {
		out = append(out, "number")
	}
	return out
}

func (b *builder) checkArg(arg *Object, ref Ref, boxed bool, owner string) error {
	switch {
	case arg == nil:
		return nil
	case arg.IsUnion() && !boxed:
		return errorf(ref.Pos, "'data' of '%s' can be union type '%s' only with 'boxed': true", owner, arg.Name)
	case arg.Implicit:
		return b.checkObject(arg)
	}
	return nil
}

// checkReturns allows objects and lists of objects; other types can't grow.
func (b *builder) checkReturns(c *Command) error {
	t := c.Ret
	if a, ok := t.(*Array); ok {
		t = a.Elem
	}
	if _, ok := t.(*Object); t == nil || ok || b.pragma.CommandReturnsExceptions[c.Name] {
		return nil
	}
	return errorf(c.ret.Pos, "command '%s' must not return '%s'", c.Name, c.Ret.TypeName())
}
