package qapi

// link resolves the references of one definition.
func (b *builder) link(def Definition) error {
	switch d := def.(type) {
	case *Object:
		return b.linkObject(d)
	case *Alternate:
		return b.linkMembers(d.Members, d.Name)
	case *Command:
		if err := b.linkArg(&d.arg, &d.Arg, d.Name); err != nil || d.ret.name == "" {
			return err
		}
		if err := b.resolve(&d.ret, "command '"+d.Name+"' returns"); err != nil {
			return err
		}
		d.Ret = d.ret.Type
	case *Event:
		return b.linkArg(&d.arg, &d.Arg, d.Name)
	}
	return nil
}

// resolve sets ref.Type unless it is set.
func (b *builder) resolve(ref *Ref, user string) error {
	if ref.Type != nil {
		return nil
	}
	t := b.types[ref.name]
	if t == nil {
		return errorf(ref.Pos, "%s unknown type '%s'", user, ref.name)
	}
	if ref.Type = t; ref.array {
		ref.Type = b.arrayOf(t)
	}
	return nil
}

func (b *builder) arrayOf(t Type) *Array {
	a := b.arrays[t]
	if a == nil {
		a = &Array{Elem: t}
		b.arrays[t] = a
	}
	return a
}

func (b *builder) linkMembers(members []*Member, owner string) error {
	for _, m := range members {
		if err := b.resolve(&m.Ref, "member '"+m.Name+"' of '"+owner+"' uses"); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) linkObject(o *Object) error {
	if o.base.name != "" {
		if err := b.resolve(&o.base, "'base' of '"+o.Name+"' uses"); err != nil {
			return err
		}
		base, ok := o.base.Type.(*Object)
		if !ok || base.IsUnion() {
			return errorf(o.base.Pos, "'base' of '%s' must be a struct type, not '%s'", o.Name, o.base.name)
		}
		o.Base = base
		if err := b.linkImplicit(base, o.Name); err != nil {
			return err
		}
	}
	for _, br := range o.Branches {
		if err := b.resolve(&br.Ref, "branch '"+br.Case+"' of '"+o.Name+"' uses"); err != nil {
			return err
		}
		if _, ok := br.Type.(*Object); !ok {
			return errorf(br.Pos, "branch '%s' of '%s' must be a struct or union type, not '%s'", br.Case, o.Name, br.name)
		}
	}
	return b.linkMembers(o.Members, o.Name)
}

// linkArg resolves the argument of a command or event.
func (b *builder) linkArg(ref *Ref, arg **Object, owner string) error {
	if ref.name == "" {
		return nil
	}
	if err := b.resolve(ref, "'data' of '"+owner+"' uses"); err != nil {
		return err
	}
	o, ok := ref.Type.(*Object)
	if !ok {
		return errorf(ref.Pos, "'data' of '%s' must be a struct or union type, not '%s'", owner, ref.name)
	}
	*arg = o
	return b.linkImplicit(o, owner)
}

// linkImplicit links an object that is no definition of its own.
func (b *builder) linkImplicit(o *Object, owner string) error {
	if !o.Implicit {
		return nil
	}
	return b.linkMembers(o.Members, owner)
}
