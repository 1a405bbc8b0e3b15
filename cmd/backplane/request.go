package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// A request is a command ready to be sent.
type request struct {
	command string
	args    *qobject.Dict // nil without arguments
	oob     bool
}

// A syntaxError is a command that cannot be sent.
type syntaxError struct{ err error }

func (e *syntaxError) Error() string { return e.err.Error() }
func (e *syntaxError) Unwrap() error { return e.err }

// request makes a command of words: NAME and its arguments, NAME and one JSON
// object, or one JSON object that is the whole command. The server is asked
// for its schema only if there are arguments to be typed.
func (v *vocabulary) request(ctx context.Context, words []string) (request, error) {
	name, rest := words[0], words[1:]
	switch {
	case strings.HasPrefix(name, "{") && len(rest) == 0:
		return wholeCommand(name)
	case name == "" || strings.HasPrefix(name, "{"):
		return request{}, &syntaxError{errors.New("a command has a name, or is one JSON object")}
	case len(rest) == 0:
		return request{command: name}, nil
	case len(rest) == 1 && strings.HasPrefix(rest[0], "{"):
		args, err := parseObject(rest[0])
		return request{command: name, args: args}, err
	}
	tree, err := parseArguments(rest)
	if err != nil {
		return request{}, &syntaxError{err}
	}
	fields, err := v.fields(ctx, name, tree)
	if err != nil {
		return request{}, err
	}
	args, err := v.known.object(tree, fields, "")
	if err != nil {
		return request{}, &syntaxError{err}
	}
	return request{command: name, args: args}, nil
}

func parseObject(text string) (*qobject.Dict, error) {
	v, err := qobject.ParseJSON(text)
	if err != nil {
		return nil, &syntaxError{errors.New(err.Error())} // ours, not the server's
	}
	d, ok := v.(*qobject.Dict)
	if !ok {
		return nil, &syntaxError{fmt.Errorf("this is a %s and not an object: %s", qobject.KindOf(v), text)}
	}
	return d, nil
}

// wholeCommand reads what QMP has on the wire. Its id is taken and not used:
// the client numbers its commands itself.
func wholeCommand(text string) (request, error) {
	d, err := parseObject(text)
	if err != nil {
		return request{}, err
	}
	var r request
	for key, v := range d.All() {
		ok := true
		switch key {
		case "execute", "exec-oob":
			if r.command != "" {
				return request{}, &syntaxError{errors.New("a command is either 'execute' or 'exec-oob'")}
			}
			r.command, ok = v.(string)
			r.oob = key == "exec-oob"
		case "arguments":
			r.args, ok = v.(*qobject.Dict)
		case "id":
		default:
			return request{}, &syntaxError{fmt.Errorf("a command has no member '%s'", key)}
		}
		if !ok {
			return request{}, &syntaxError{fmt.Errorf("member '%s' of the command has the wrong type", key)}
		}
	}
	if r.command == "" {
		return request{}, &syntaxError{errors.New("the command has no member 'execute'")}
	}
	return r, nil
}
