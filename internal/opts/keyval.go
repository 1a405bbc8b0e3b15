package opts

import (
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// maxFragment bounds one name between dots, as QEMU does.
const maxFragment = 127

// maxDepth bounds the nesting of a key: as deep as JSON may be.
const maxDepth = 1024

// ParseKeyval reads `a=b,c.d=e,f.0=g` into an object: dots nest, numbers make
// lists, every scalar is a string. A comma inside a value is written twice. When
// implied is not empty, a first element without '=' is that key's value (and
// then may hold no comma). help says that an element was "help" or "?".
//
// Equal keys: the last counts. A key that is a string and an object, or a list
// with gaps, is an error.
func ParseKeyval(text, implied string) (d *qobject.Dict, help bool, err error) {
	root := &node{members: map[string]*node{}}
	for rest := text; rest != ""; implied = "" {
		element, _, _ := strings.Cut(rest, ",")
		key, _, assigned := strings.Cut(element, "=")
		value := ""
		after := strings.TrimPrefix(rest[len(key):], ",")
		switch {
		case !assigned && isHelp(key):
			help, rest = true, after
			continue
		case !assigned && key != "" && implied != "":
			key, value, rest = implied, key, after
		case !assigned:
			if _, err := split(key); err != nil {
				return nil, help, err
			}
			return nil, help, qerr.New("Expected '=' after parameter '%s'", key)
		default:
			value, rest = cutValue(rest[len(key)+1:])
		}
		if err := root.put(key, value); err != nil {
			return nil, help, err
		}
	}
	v, err := root.object("")
	if err != nil {
		return nil, help, err
	}
	return v, help, nil
}

// Nest returns flat, whose values are strings, with dotted keys nested as
// ParseKeyval nests them.
func Nest(flat *qobject.Dict) (*qobject.Dict, error) {
	root := &node{members: map[string]*node{}}
	for key, v := range flat.All() {
		value, _ := v.(string)
		if err := root.put(key, value); err != nil {
			return nil, err
		}
	}
	return root.object("")
}

// ParseObject reads an argument that may be JSON (it begins with '{') or
// key=value with [ParseKeyval]; json says which, because the members then have
// JSON's types or are all strings.
func ParseObject(text, implied string) (d *qobject.Dict, json, help bool, err error) {
	if !IsJSON(text) {
		d, help, err = ParseKeyval(text, implied)
		return d, false, help, err
	}
	v, err := qobject.ParseJSON(text)
	if err != nil {
		return nil, true, false, err
	}
	return v.(*qobject.Dict), true, false, nil
}

// IsJSON reports whether an argument is in JSON rather than key=value.
func IsJSON(text string) bool { return strings.HasPrefix(text, "{") }

// A node is a string or has members; order is that of first mention.
type node struct {
	value   string
	members map[string]*node // nil: a string
	order   []string
}

// put stores value under the dotted key.
func (n *node) put(key, value string) error {
	names, err := split(key)
	if err != nil {
		return err
	}
	at := 0 // length of the key walked so far
	for i, name := range names {
		at += len(name)
		next := n.members[name]
		last := i == len(names)-1
		if next != nil && last != (next.members == nil) {
			return inconsistent(key[:at])
		}
		if next == nil {
			next = &node{}
			if !last {
				next.members = map[string]*node{}
			}
			n.members[name] = next
			n.order = append(n.order, name)
		}
		n = next
		at++
	}
	n.value = value
	return nil
}

func inconsistent(key string) *qerr.Error {
	return qerr.New("Parameters '%s.*' used inconsistently", key)
}

// split takes a key apart. The first part is a name, the others are names or
// list indices.
func split(key string) ([]string, error) {
	var names []string
	for rest := key; ; {
		n := 0
		if len(names) > 0 {
			n = len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		}
		if n == 0 {
			n = nameLength(rest)
		}
		if n == 0 || n < len(rest) && rest[n] != '.' {
			return nil, qerr.New("Invalid parameter '%s'", key)
		}
		if n > maxFragment {
			what := ""
			if n < len(key) {
				what = " fragment"
			}
			return nil, qerr.New("Parameter%s '%s' is too long", what, rest[:n])
		}
		if len(names) == maxDepth {
			return nil, qerr.New("Parameter '%s' is nested too deeply", key)
		}
		names = append(names, rest[:n])
		if n == len(rest) {
			return names, nil
		}
		rest = rest[n+1:]
	}
}

// nameLength returns the length of the QAPI name that s begins with, or 0: a
// letter, then letters, digits, '-' and '_'; before it may stand a
// downstream's __reversed.domain_.
func nameLength(s string) int {
	i := 0
	if strings.HasPrefix(s, "__") {
		for i = 2; i < len(s) && (isLetter(s[i]) || isDigit(s[i]) || s[i] == '-' || s[i] == '.'); {
			i++
		}
		if i == len(s) || s[i] != '_' {
			return 0
		}
		i++
	}
	if i == len(s) || !isLetter(s[i]) {
		return 0
	}
	for i < len(s) && (isLetter(s[i]) || isDigit(s[i]) || s[i] == '-' || s[i] == '_') {
		i++
	}
	return i
}

// object turns a node with members into an object; prefix is its key and a dot.
func (n *node) object(prefix string) (*qobject.Dict, error) {
	d := qobject.NewDict()
	for _, name := range n.order {
		v, err := n.members[name].build(prefix + name)
		if err != nil {
			return nil, err
		}
		d.Set(name, v)
	}
	return d, nil
}

// build returns the value of a node: a string, an object, or a list when all
// members are numbers.
func (n *node) build(key string) (any, error) {
	if n.members == nil {
		return n.value, nil
	}
	numbers := 0
	for _, name := range n.order {
		if isDigit(name[0]) {
			numbers++
		}
	}
	switch numbers {
	case 0:
		return n.object(key + ".")
	case len(n.order):
		return n.list(key)
	}
	return nil, inconsistent(key)
}

func (n *node) list(key string) (any, error) {
	// Keys differ, but "0" and "00" are one index; then the later one counts.
	elements := make([]*node, len(n.order))
	most := 0
	for _, name := range n.order {
		i, err := strconv.Atoi(name)
		if err != nil || i >= len(elements) {
			most = len(elements)
			continue
		}
		elements[i] = n.members[name]
		most = max(most, i+1)
	}
	list := make([]any, 0, most)
	for i, e := range elements[:most] {
		at := key + "." + strconv.Itoa(i)
		if e == nil {
			return nil, qerr.New("Parameter '%s' missing", at)
		}
		v, err := e.build(at)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}
