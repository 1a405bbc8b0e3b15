package gen

import (
	"path"
	"strings"

	"github.com/backplane-vm/backplane/qapi"
)

// commandsOf returns the commands that a module defines.
func (g *generator) commandsOf(module string) []*qapi.Command {
	var list []*qapi.Command
	for _, def := range g.schema.Definitions {
		if c, ok := def.(*qapi.Command); ok && c.Module == module {
			list = append(list, c)
		}
	}
	return list
}

// yield returns the type of what lets the schema's coroutine commands yield.
func (g *generator) yield() string {
	for _, def := range g.schema.Definitions {
		if c, ok := def.(*qapi.Command); ok && c.Coroutine {
			return "*coro.Co"
		}
	}
	return "qmp.NoYield"
}

// commands prints each module's commands, and the interface and the table that
// are all of theirs.
func (g *generator) commands() error {
	var modules []string
	for _, m := range g.schema.Modules {
		list := g.commandsOf(m)
		if len(list) == 0 {
			continue
		}
		modules = append(modules, camel(stem(m)))
		if err := g.moduleCommands(m, list); err != nil {
			return err
		}
	}
	p, yield := &printer{}, g.yield()
	p.f("// Commands is what implements the schema's commands. Methods run where the")
	p.f("// owner of the command table calls them; one whose first parameter lets it")
	p.f("// yield is a coroutine. Arguments belong to the callee, results to the caller.")
	p.f("type Commands interface {")
	for _, m := range modules {
		p.f("%sCommands", m)
	}
	p.f("}\n")
	p.f("// Table returns the schema's commands in its order, decoding arguments for and")
	p.f("// encoding results of impl.")
	p.f("func Table(impl Commands) []qmp.Command[%s] {\nreturn slices.Concat(", yield)
	for _, m := range modules {
		p.f("table%s(impl),", m)
	}
	p.f(")\n}\n")
	return g.emit("commands.go", p)
}

// moduleCommands prints a module's argument types, its interface and its part of
// the table.
func (g *generator) moduleCommands(module string, list []*qapi.Command) error {
	p, name, yield := &printer{}, camel(stem(module)), g.yield()
	for _, c := range list {
		if hasArgs(c) && c.Arg.Implicit {
			if err := p.argument(c.Arg, argType(c), "holds the arguments of "+c.Name, c.Doc); err != nil {
				return err
			}
		}
	}
	p.f("// %sCommands is the part of Commands that %s defines.", name, path.Base(module))
	p.f("type %sCommands interface {", name)
	for i, c := range list {
		if i > 0 {
			p.f("")
		}
		p.definition(camel(c.Name), "command "+c.Name, c.Doc)
		p.f("%s(%s) %s", camel(c.Name), parameters(c), results(c))
	}
	p.f("}\n")
	p.f("func table%s(impl %sCommands) []qmp.Command[%s] {\nreturn []qmp.Command[%s]{", name, name, yield, yield)
	for _, c := range list {
		p.entry(c)
	}
	p.f("}\n}\n")
	return g.emit(fileOf("commands", module), p)
}

// hasArgs reports whether the handler gets decoded arguments.
func hasArgs(c *qapi.Command) bool { return c.Gen && c.Arg != nil && !c.Arg.Empty() }

// argument prints an implicit type under a Go name of its own; is says what
// the type is, with what the definition it belongs to has to say of members.
func (p *printer) argument(o *qapi.Object, name, is string, doc *qapi.Doc) error {
	if err := fieldNames(o, name); err != nil {
		return err
	}
	p.comment(name, " "+is+".")
	p.objectType(o, name, doc)
	return nil
}

// goArg returns the Go type of the decoded arguments.
func goArg(c *qapi.Command) string {
	if c.Arg.Implicit {
		return argType(c)
	}
	return goType(c.Arg)
}

func parameters(c *qapi.Command) string {
	params := []string{"call *qmp.Call"}
	if c.Coroutine {
		params = []string{"co *coro.Co", "call *qmp.Call"}
	}
	switch {
	case !c.Gen:
		params = append(params, "args *qobject.Dict")
	case hasArgs(c):
		params = append(params, "args *"+goArg(c))
	}
	return strings.Join(params, ", ")
}

func results(c *qapi.Command) string {
	switch c.Ret.(type) {
	case nil:
		return "error"
	case *qapi.Object, *qapi.Alternate:
		if c.Gen {
			return "(*" + goType(c.Ret) + ", error)"
		}
	}
	if !c.Gen {
		return "(any, error)"
	}
	return "(" + goType(c.Ret) + ", error)"
}

// entry prints one element of the table.
func (p *printer) entry(c *qapi.Command) {
	p.f("{")
	p.f("Name: %q,", c.Name)
	if opts := options(c); opts != "" {
		p.f("Options: %s,", opts)
	}
	if c.Coroutine {
		p.f("RunCo: func(co *coro.Co, call *qmp.Call, args *qobject.Dict) (any, error) {")
	} else {
		p.f("Run: func(call *qmp.Call, args *qobject.Dict) (any, error) {")
	}
	p.call(c)
	p.f("},\n},")
}

func options(c *qapi.Command) string {
	var on []string
	for _, o := range []struct {
		set  bool
		name string
	}{
		{!c.SuccessResponse, "NoSuccessResponse"},
		{c.AllowOOB, "AllowOOB"},
		{c.AllowPreconfig, "AllowPreconfig"},
		{c.Coroutine, "Coroutine"},
		{c.HasFeature("deprecated"), "Deprecated"},
		{c.HasFeature("unstable"), "Unstable"},
	} {
		if o.set {
			on = append(on, "qmp."+o.name)
		}
	}
	return strings.Join(on, " | ")
}

// call prints the body that decodes, calls and encodes.
func (p *printer) call(c *qapi.Command) {
	actual := []string{"call"}
	if c.Coroutine {
		actual = []string{"co", "call"}
	}
	switch {
	case !c.Gen:
		actual = append(actual, "args")
	case hasArgs(c):
		p.f("in := visit.New(args, visit.JSON)\narg := Decode%s(in)", goArg(c))
		p.f("if err := in.Err(); err != nil {\nreturn nil, err\n}")
		actual = append(actual, "&arg")
	default:
		p.f("if err := visit.NoMembers(args); err != nil {\nreturn nil, err\n}")
	}
	invoke := "impl." + camel(c.Name) + "(" + strings.Join(actual, ", ") + ")"
	switch {
	case c.Ret == nil:
		p.f("return nil, %s", invoke)
	case !c.Gen:
		p.f("return %s", invoke)
	default:
		p.f("r, err := %s", invoke)
		p.f("if err != nil {\nreturn nil, err\n}")
		if b, ok := c.Ret.(*qapi.Builtin); ok && b.JSON == "value" {
			p.f("if r == nil {\nreturn qmp.Null, nil\n}")
		} else if ok && b.JSON == "null" {
			p.f("_ = r\nreturn qmp.Null, nil")
			return
		}
		p.f("return %s, nil", encode(c.Ret, "r"))
	}
}
