package qobject

import (
	"encoding/json"
	"fmt"
)

// From turns an ordinary Go value into a value of this package: values and
// Marshalers as they are, maps and slices element by element, and anything
// else the way encoding/json sees it. It is meant for clients, who build
// arguments out of what they have at hand.
func From(x any) (any, error) {
	switch x := x.(type) {
	case nil, bool, int64, uint64, float64, string:
		return x, nil
	case int:
		return int64(x), nil
	case Marshaler:
		return From(x.QObject())
	case *Dict:
		d := NewDict()
		for key, member := range x.All() {
			v, err := From(member)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
			d.add(key, v)
		}
		return d, nil
	case []any:
		list := make([]any, len(x))
		for i := range x {
			v, err := From(x[i])
			if err != nil {
				return nil, fmt.Errorf("[%d]: %w", i, err)
			}
			list[i] = v
		}
		return list, nil
	}
	text, err := json.Marshal(x)
	if err != nil {
		return nil, fmt.Errorf("qobject: %w", err)
	}
	return ParseJSON(string(text))
}

// Decode stores the value v in what into points to: an any, a *Dict, an
// [Unmarshaler], or anything encoding/json can fill. What it stores may share
// with v. Errors are about types that do not fit.
func Decode(v, into any) error {
	switch into := into.(type) {
	case *any:
		*into = v
		return nil
	case **Dict:
		d, ok := v.(*Dict)
		if !ok {
			return fmt.Errorf("qobject: %s where an object is expected", KindOf(v))
		}
		*into = d
		return nil
	case Unmarshaler:
		return into.FromQObject(v)
	}
	if err := json.Unmarshal(Append(nil, v), into); err != nil {
		return fmt.Errorf("qobject: %w", err)
	}
	return nil
}
