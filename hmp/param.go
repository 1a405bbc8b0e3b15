package hmp

import (
	"fmt"
	"strings"
)

// param is one argument that a command takes.
type param struct {
	key  string
	kind byte
	flag byte // the letter, for kind '-'
	// valued: the flag has a string behind it.
	valued bool
	// optional ('?') may be left out at the end of the line; dotted ('.') is
	// there only if a '.' announces it.
	optional, dotted bool
}

// kinds are the letters an argument description may use; the text behind each
// is in the comment of Args.
const kinds = "FBsSOilMoTb/-"

// parseParams reads a description such as "force:-f,device:B,fmt:/".
func parseParams(spec string) ([]param, error) {
	var params []param
	if spec == "" {
		return nil, nil
	}
	for _, field := range strings.Split(spec, ",") {
		key, kind, ok := strings.Cut(field, ":")
		if !ok || key == "" || kind == "" || strings.IndexByte(kinds, kind[0]) < 0 {
			return nil, fmt.Errorf("bad argument description %q", field)
		}
		p := param{key: key, kind: kind[0]}
		if err := p.parseSuffix(kind[1:]); err != nil {
			return nil, fmt.Errorf("bad argument description %q: %w", field, err)
		}
		params = append(params, p)
	}
	return params, nil
}

func (p *param) parseSuffix(suffix string) error {
	if p.kind == '-' {
		if suffix == "" {
			return fmt.Errorf("flag without a letter")
		}
		p.flag, suffix = suffix[0], suffix[1:]
		if suffix == "s" {
			p.valued, suffix = true, ""
		}
	}
	switch {
	case suffix == "":
	case suffix == "?" && strings.IndexByte("-/Ob", p.kind) < 0:
		p.optional = true
	case suffix == "." && (p.kind == 'i' || p.kind == 'l' || p.kind == 'M'):
		p.dotted = true
	default:
		return fmt.Errorf("%q does not go with kind %q", suffix, p.kind)
	}
	return nil
}
