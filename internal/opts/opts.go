package opts

import (
	"iter"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// A Pair is one key=value of an option string, unescaped.
type Pair struct{ Name, Value string }

// Opts is an option string that has been read: pairs in the order written, with
// the id set aside. The zero Opts is empty.
type Opts struct {
	// ID is the value of the first id=, or "".
	ID string
	// Help says that an element was "help" or "?": whoever prints help for
	// this option should, instead of acting on it.
	Help bool
	// Warnings are what QEMU prints about the notation, a line or two each,
	// for standard error.
	Warnings []string

	pairs []Pair
}

// ParseOpts reads `a=b,c=d`. A comma inside a value is written twice. When
// implied is not empty, a first element without '=' is that key's value; any
// other element without '=' is a switch: `x` is x=on and `nox` is x=off. An id
// that is no identifier is an error; everything else is accepted, because what
// names and values mean is not known here (see [Opts.Check]).
func ParseOpts(text, implied string) (*Opts, error) {
	o := &Opts{}
	hasID := false
	for rest := text; rest != ""; implied = "" {
		var p Pair
		end := strings.IndexAny(rest, "=,")
		switch {
		case end >= 0 && rest[end] == '=':
			p.Name = rest[:end]
			p.Value, rest = cutValue(rest[end+1:])
		case implied != "":
			p.Name = implied
			p.Value, rest = cutValue(rest)
			o.Help = o.Help || isHelp(p.Value)
		default:
			p, rest = o.flag(rest, end)
		}
		switch {
		case p.Name != "id":
			o.pairs = append(o.pairs, p)
		case !hasID:
			hasID = true
			if !IsIdentifier(p.Value) {
				return nil, badIdentifier("id")
			}
			o.ID = p.Value
		}
	}
	return o, nil
}

// flag reads an element without '=', which ends at end or, if that is negative,
// with text.
func (o *Opts) flag(text string, end int) (p Pair, rest string) {
	word := text
	if end >= 0 {
		word, rest = text[:end], text[end+1:]
	}
	if isHelp(word) {
		o.Help = true
		return Pair{word, "on"}, rest
	}
	p = Pair{word, "on"}
	if name, no := strings.CutPrefix(word, "no"); no {
		p = Pair{name, "off"}
	}
	o.Warnings = append(o.Warnings, "short-form boolean option '"+word+"' deprecated\nPlease use "+p.Name+"="+p.Value+" instead")
	return p, rest
}

// cutValue splits text at the first single comma and turns doubled ones before
// it into one each.
func cutValue(text string) (value, rest string) {
	i := strings.IndexByte(text, ',')
	if i < 0 {
		return text, ""
	}
	if !strings.HasPrefix(text[i:], ",,") {
		return text[:i], text[i+1:]
	}
	var b strings.Builder
	for {
		b.WriteString(text[:i])
		text = text[i+1:]
		if !strings.HasPrefix(text, ",") {
			return b.String(), text
		}
		b.WriteByte(',')
		text = text[1:]
		if i = strings.IndexByte(text, ','); i < 0 {
			b.WriteString(text)
			return b.String(), ""
		}
	}
}

func isHelp(word string) bool { return word == "help" || word == "?" }

// IsIdentifier reports whether s may be an id: letters, digits, '-', '.' and
// '_', beginning with a letter.
func IsIdentifier(s string) bool {
	if s == "" || !isLetter(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isLetter(c) && !isDigit(c) && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}

func badIdentifier(name string) *qerr.Error {
	return qerr.New("Parameter '%s' expects an identifier", name).
		WithHint("Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.\n")
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }

// Get returns the last value of name.
func (o *Opts) Get(name string) (string, bool) {
	for i := len(o.pairs) - 1; i >= 0; i-- {
		if o.pairs[i].Name == name {
			return o.pairs[i].Value, true
		}
	}
	return "", false
}

// String returns the last value of name, or def.
func (o *Opts) String(name, def string) string {
	if v, ok := o.Get(name); ok {
		return v
	}
	return def
}

// Bool returns the last value of name as a switch, or def.
func (o *Opts) Bool(name string, def bool) (bool, error) {
	v, ok := o.Get(name)
	if !ok {
		return def, nil
	}
	return ParseBool(name, v)
}

// Number returns the last value of name as a number, or def.
func (o *Opts) Number(name string, def uint64) (uint64, error) {
	v, ok := o.Get(name)
	if !ok {
		return def, nil
	}
	return ParseNumber(name, v)
}

// Size returns the last value of name in bytes, or def.
func (o *Opts) Size(name string, def uint64) (uint64, error) {
	v, ok := o.Get(name)
	if !ok {
		return def, nil
	}
	return ParseSize(name, v)
}

// Set appends a pair; it outweighs earlier ones of the same name.
func (o *Opts) Set(name, value string) { o.pairs = append(o.pairs, Pair{name, value}) }

// Delete removes every pair called name.
func (o *Opts) Delete(name string) {
	kept := o.pairs[:0]
	for _, p := range o.pairs {
		if p.Name != name {
			kept = append(kept, p)
		}
	}
	o.pairs = kept
}

// All yields the pairs in order, without the id.
func (o *Opts) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, p := range o.pairs {
			if !yield(p.Name, p.Value) {
				return
			}
		}
	}
}

// Dict returns the pairs as an object of strings, the last of equal names
// counting, with the id (if there is one) as member "id". It is what device_add
// takes from HMP and from -device.
func (o *Opts) Dict() *qobject.Dict {
	d := qobject.NewDict()
	for name, value := range o.All() {
		d.Set(name, value)
	}
	if o.ID != "" {
		d.Set("id", o.ID)
	}
	return d
}

// A Kind is the type of an option's value.
type Kind uint8

// The kinds of values.
const (
	Text   Kind = iota // any string
	Switch             // on or off
	Number             // unsigned 64-bit, C notation
	Size               // bytes, with a suffix
)

// A Schema names the options that a flag takes.
type Schema map[string]Kind

// Check reports the first pair, in order, whose name is not in s or whose value
// does not fit.
func (o *Opts) Check(s Schema) error {
	for name, value := range o.All() {
		kind, ok := s[name]
		if !ok {
			return qerr.New("Invalid parameter '%s'", name)
		}
		var err error
		switch kind {
		case Switch:
			_, err = ParseBool(name, value)
		case Number:
			_, err = ParseNumber(name, value)
		case Size:
			_, err = ParseSize(name, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
