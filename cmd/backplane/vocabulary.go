package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// An asker runs a command on the server; *qmp.Client is one.
type asker interface {
	Execute(ctx context.Context, command string, args, result any) error
}

// A vocabulary is what may be said to a server: its schema, and for commands
// whose arguments the schema leaves open what the server answers about the
// device concerned. It asks when it has to and remembers the answers; a server
// that does not answer such questions leaves it with nothing to go by, which
// is no error. One goroutine at a time may use it.
type vocabulary struct {
	server  asker
	known   *schema            // nil until asked
	devices []string           // nil until asked
	driver  map[string][]field // properties, by device type
}

func newVocabulary(server asker) *vocabulary {
	return &vocabulary{server: server, driver: map[string][]field{}}
}

// refused tells an answer "no" from a server that is not there.
func refused(err error) bool {
	var said *qerr.Error
	return errors.As(err, &said)
}

// schema returns the server's schema.
func (v *vocabulary) schema(ctx context.Context) (*schema, error) {
	if v.known != nil {
		return v.known, nil
	}
	var reply any
	err := v.server.Execute(ctx, "query-qmp-schema", nil, &reply)
	switch {
	case refused(err):
		v.known = &schema{}
	case err != nil:
		return nil, err
	default:
		if v.known, err = readSchema(reply); err != nil {
			return nil, err
		}
	}
	return v.known, nil
}

// openCommand is the command that takes more than the schema says: every
// property of the device it makes.
const openCommand = "device_add"

// fields returns what a command may be given, in view of what it is given.
func (v *vocabulary) fields(ctx context.Context, command string, given *argument) ([]field, error) {
	s, err := v.schema(ctx)
	if err != nil {
		return nil, err
	}
	var list []field
	if c := s.lookup("command", command); c != nil {
		list = s.fields(s.entities[c.ArgType], given)
	}
	driver, ok := given.leaf("driver")
	if command != openCommand || !ok {
		return list, nil
	}
	properties, err := v.properties(ctx, driver)
	for _, p := range properties {
		if _, twice := find(list, p.name); !twice {
			list = append(list, p)
		}
	}
	return list, err
}

// properties returns the settable properties of a type of device.
func (v *vocabulary) properties(ctx context.Context, driver string) ([]field, error) {
	if list, ok := v.driver[driver]; ok {
		return list, nil
	}
	var reply []struct{ Name, Type, Description string }
	err := v.server.Execute(ctx, "device-list-properties", qobject.Members("typename", driver), &reply)
	if err != nil && !refused(err) {
		return nil, err
	}
	list := []field{}
	for _, p := range reply {
		if typ, ok := propertyType(p.Type); ok {
			list = append(list, field{p.Name, typ, true, p.Description})
		}
	}
	v.driver[driver] = list
	return list, nil
}

// propertyType returns the type of a property's value from QOM's word for it,
// nil if the word says nothing; ok is false for what only the device itself sets.
func propertyType(word string) (typ *entity, ok bool) {
	switch word {
	case "bool":
		return &entity{Name: "bool", Meta: "builtin", JSONType: "boolean"}, true
	case "int", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "size":
		return &entity{Name: "int", Meta: "builtin", JSONType: "int"}, true
	case "double", "number":
		return &entity{Name: "number", Meta: "builtin", JSONType: "number"}, true
	case "str", "string":
		return &entity{Name: "str", Meta: "builtin", JSONType: "string"}, true
	case "OnOffAuto":
		return &entity{Name: word, Meta: "enum", Values: []string{"auto", "on", "off"}}, true
	}
	return nil, !strings.HasPrefix(word, "child<")
}

// deviceTypes returns the sorted names of the types device_add may be given.
func (v *vocabulary) deviceTypes(ctx context.Context) ([]string, error) {
	if v.devices != nil {
		return v.devices, nil
	}
	var reply []struct{ Name string }
	err := v.server.Execute(ctx, "qom-list-types", qobject.Members("implements", "device", "abstract", false), &reply)
	if err != nil && !refused(err) {
		return nil, err
	}
	v.devices = []string{}
	for _, t := range reply {
		v.devices = append(v.devices, t.Name)
	}
	slices.Sort(v.devices)
	return v.devices, nil
}

// deviceIDs returns the ids of the devices that were given one. They change,
// so it asks each time.
func (v *vocabulary) deviceIDs(ctx context.Context) ([]string, error) {
	var reply []struct{ Name, Type string }
	err := v.server.Execute(ctx, "qom-list", qobject.Members("path", "/machine/peripheral"), &reply)
	if err != nil && !refused(err) {
		return nil, err
	}
	var ids []string
	for _, p := range reply {
		if strings.HasPrefix(p.Type, "child<") {
			ids = append(ids, p.Name)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
