package qmp

import (
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// CapabilitiesName is the command that ends negotiation. A session that sends
// a greeting runs it itself; a registry may hold it so that it is listed, but
// its handler there is never called.
const CapabilitiesName = "qmp_capabilities"

const capOOB = "oob"

var (
	errNegotiate = qerr.Newc(qerr.CommandNotFound,
		"Expecting capabilities negotiation with 'qmp_capabilities'")
	errNegotiated = qerr.Newc(qerr.CommandNotFound,
		"Capabilities negotiation is already complete, command ignored")
)

// capabilitiesCommand returns the session's qmp_capabilities, or nil if it is
// asked for out of band.
func (s *Session[Y]) capabilitiesCommand(oob bool) *Command[Y] {
	if oob {
		return nil
	}
	return &Command[Y]{
		Name:    CapabilitiesName,
		Options: AllowPreconfig,
		Run: func(_ *Call, args *qobject.Dict) (any, error) {
			return nil, s.negotiate(args)
		},
	}
}

// negotiate leaves negotiation mode with the capabilities that args enables;
// on an error the session stays as it is.
func (s *Session[Y]) negotiate(args *qobject.Dict) error {
	enable, err := enableArgument(args)
	if err != nil {
		return err
	}
	if s.Negotiated() {
		return errNegotiated
	}
	if len(enable) > 0 && !s.config.OOB {
		return qerr.New("Capability %s not available", strings.Join(enable, ", "))
	}
	mode := modeCommand
	if len(enable) > 0 {
		mode = modeCommandOOB
	}
	s.mode.Store(mode)
	return nil
}

// enableArgument returns the capabilities a client asks for, each one known.
func enableArgument(args *qobject.Dict) ([]string, error) {
	var enable []string
	if v, ok := args.Get("enable"); ok {
		list, ok := v.([]any)
		if !ok {
			return nil, qerr.New("Invalid parameter type for 'enable', expected: array")
		}
		for i, v := range list {
			name, ok := v.(string)
			if !ok {
				return nil, qerr.New("Invalid parameter type for 'enable[%d]', expected: string", i)
			}
			if name != capOOB {
				return nil, qerr.New("Parameter 'null' does not accept value '%s'", name)
			}
			enable = append(enable, name)
		}
	}
	for key := range args.Wire() {
		if key != "enable" {
			return nil, qerr.New("Parameter '%s' is unexpected", key)
		}
	}
	return enable, nil
}
