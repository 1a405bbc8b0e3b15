package gen

import (
	"strings"

	"github.com/backplane-vm/backplane/qapi"
)

// client prints the calls of a client.
func (g *generator) client() error {
	p := &printer{}
	p.f("// Client calls the schema's commands at a server, through what runs commands")
	p.f("// there: a *qmp.Client, for instance. Methods return the server's errors as it")
	p.f("// does. What a newer server says beyond the schema is passed over.")
	p.f("type Client struct{ qmp.Executor }\n")
	p.f("// ask runs a command and returns what is to be decoded.")
	p.f("func (c Client) ask(ctx context.Context, command string, args any) (visit.Value, error) {")
	p.f("var v any\nerr := c.Execute(ctx, command, args, &v)\nreturn visit.NewReply(v), err\n}\n")
	p.f("// misread is the error for a reply that is not what the schema says.")
	p.f("func misread(command string, err error) error {")
	p.f("if err == nil {\nreturn nil\n}")
	p.f("return fmt.Errorf(\"%%s: the reply cannot be read: %%w\", command, err)\n}\n")
	if err := g.emit("client.go", p); err != nil {
		return err
	}
	for _, m := range g.schema.Modules {
		p := &printer{}
		for _, c := range g.commandsOf(m) {
			p.method(c)
		}
		if p.Len() == 0 {
			continue
		}
		if err := g.emit(fileOf("client", m), p); err != nil {
			return err
		}
	}
	return nil
}

// method prints the call of one command.
func (p *printer) method(c *qapi.Command) {
	params, actual := "ctx context.Context", "nil"
	if strings.Contains(parameters(c), "args ") {
		_, typed, _ := strings.Cut(parameters(c), "args ")
		params, actual = params+", args "+typed, "args"
	}
	p.f("// %s calls %s.", camel(c.Name), c.Name)
	p.f("func (c Client) %s(%s) %s {", camel(c.Name), params, clientResults(c))
	defer p.f("}\n")
	if c.Ret == nil {
		p.f("return c.Execute(ctx, %q, %s, nil)", c.Name, actual)
		return
	}
	p.f("in, err := c.ask(ctx, %q, %s)", c.Name, actual)
	if pointer(c) {
		p.f("if err != nil {\nreturn nil, err\n}")
		p.f("r := %s\nreturn &r, misread(%q, in.Err())", decode(c.Ret, "in"), c.Name)
		return
	}
	p.f("if err != nil {\nvar none %s\nreturn none, err\n}", goType(c.Ret))
	p.f("r := %s\nreturn r, misread(%q, in.Err())", decode(c.Ret, "in"), c.Name)
}

// pointer reports whether the result is handed out as a pointer.
func pointer(c *qapi.Command) bool {
	switch c.Ret.(type) {
	case *qapi.Object, *qapi.Alternate:
		return true
	}
	return false
}

func clientResults(c *qapi.Command) string {
	switch {
	case c.Ret == nil:
		return "error"
	case pointer(c):
		return "(*" + goType(c.Ret) + ", error)"
	}
	return "(" + goType(c.Ret) + ", error)"
}
