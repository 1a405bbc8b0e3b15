package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// object types the arguments below a branch, whose possible fields are known.
// One that is not among them keeps its text: the server says what it thinks.
func (s *schema) object(a *argument, known []field, path string) (*qobject.Dict, error) {
	d := qobject.NewDict()
	for _, key := range a.keys {
		f, _ := find(known, key)
		v, err := s.value(a.below[key], f.typ, below(path, key))
		if err != nil {
			return nil, err
		}
		d.Set(key, v)
	}
	return d, nil
}

func below(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// value turns an argument into what its type asks for. Where the text cannot
// be of that type, or the type is unknown, it stays a string, except for
// numbers and booleans: a mistake there is better told before it is sent.
func (s *schema) value(a *argument, typ *entity, path string) (any, error) {
	switch {
	case a.json:
		return a.value, nil
	case a.below != nil:
		return s.branch(a, s.branchType(typ), path)
	case typ == nil:
		return a.text, nil
	}
	switch typ.Meta {
	case "builtin":
		v, err := scalar(a.text, typ.JSONType)
		if err != nil {
			return nil, fmt.Errorf("argument '%s': %w", path, err)
		}
		return v, nil
	case "alternate":
		return s.alternative(a.text, typ), nil
	}
	return a.text, nil
}

// branch types an object or a list.
func (s *schema) branch(a *argument, typ *entity, path string) (any, error) {
	if typ != nil && typ.Meta == "object" {
		return s.object(a, s.fields(typ, a), path)
	}
	list, isList, err := a.elements(path)
	if err != nil {
		return nil, err
	}
	if !isList {
		return s.object(a, nil, path)
	}
	var elem *entity
	if typ != nil {
		elem = s.entities[typ.ElementType]
	}
	values := make([]any, len(list))
	for i, n := range list {
		if values[i], err = s.value(n, elem, below(path, strconv.Itoa(i))); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// alternative types a text as the first branch of an alternate that it fits:
// an enum's value, a boolean, a number, else a string.
func (s *schema) alternative(text string, alternate *entity) any {
	stringToo := false
	for _, m := range alternate.Members {
		t := s.entities[m.Type]
		switch {
		case t == nil:
		case t.Meta == "enum" && slices.Contains(t.enum(), text):
			return text
		case t.Meta == "builtin" && t.JSONType == "string":
			stringToo = true
		}
	}
	if stringToo {
		return text
	}
	for _, m := range alternate.Members {
		if t := s.entities[m.Type]; t != nil && t.Meta == "builtin" {
			if v, err := scalar(text, t.JSONType); err == nil {
				return v
			}
		}
	}
	return text
}

// scalar reads a text as the JSON type of a QAPI builtin.
func scalar(text, jsonType string) (any, error) {
	switch jsonType {
	case "int":
		return parseInt(text)
	case "number":
		if f, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f, nil
		}
		return nil, fmt.Errorf("'%s' is not a number", text)
	case "boolean":
		switch text {
		case "on", "yes", "true", "y":
			return true, nil
		case "off", "no", "false", "n":
			return false, nil
		}
		return nil, fmt.Errorf("'%s' is neither on nor off", text)
	case "null":
		if text == "null" || text == "" {
			return nil, nil
		}
		return nil, fmt.Errorf("'%s' is not null", text)
	}
	return text, nil
}

// sizeSuffixes are the binary multiples a whole number may end in: the
// position of the letter is the power of 1024 less one. The schema does not
// tell sizes from other integers, so all of them may.
const sizeSuffixes = "KMGTPE"

// parseInt reads an integer, decimal or hexadecimal (0x), perhaps with a suffix.
func parseInt(text string) (any, error) {
	if n, err := strconv.ParseInt(text, base(text), 64); err == nil {
		return n, nil
	}
	if n, err := strconv.ParseUint(text, base(text), 64); err == nil {
		return n, nil
	}
	if len(text) > 1 {
		power := strings.IndexByte(sizeSuffixes, text[len(text)-1]&^0x20)
		n, err := strconv.ParseUint(text[:len(text)-1], 10, 63)
		if shift := 10 * (power + 1); power >= 0 && err == nil && n <= math.MaxInt64>>shift {
			return int64(n << shift), nil
		}
	}
	return nil, fmt.Errorf("'%s' is not an integer", text)
}

// base is what strconv is to read a number with. Not 0: a leading zero does
// not make it octal.
func base(text string) int {
	if strings.HasPrefix(strings.TrimPrefix(strings.ToLower(text), "-"), "0x") {
		return 0
	}
	return 10
}
