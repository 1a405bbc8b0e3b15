package gen

import (
	"github.com/backplane-vm/backplane/qapi"
)

// events prints the data types and constructors of events.
func (g *generator) events() error {
	p := &printer{}
	for _, def := range g.schema.Definitions {
		e, ok := def.(*qapi.Event)
		if !ok {
			continue
		}
		if err := p.event(e); err != nil {
			return err
		}
	}
	if p.Len() == 0 {
		return nil
	}
	return g.emit("events.go", p)
}

func (p *printer) event(e *qapi.Event) error {
	name := "Event" + camelUpper(e.Name)
	if e.Arg == nil || e.Arg.Empty() {
		p.definition(name, "event "+e.Name, e.Doc)
		p.f("func %s() qmp.Event { return qmp.Event{Name: %q} }\n", name, e.Name)
		return nil
	}
	typ := goType(e.Arg)
	if e.Arg.Implicit {
		typ = eventType(e)
		if err := p.argument(e.Arg, typ, "holds the data of "+e.Name, e.Doc); err != nil {
			return err
		}
	}
	p.definition(name, "event "+e.Name, e.Doc)
	p.f("func %s(arg %s) qmp.Event {", name, typ)
	p.f("return qmp.Event{Name: %q, Data: arg.QObject()}\n}\n", e.Name)
	return nil
}
