package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// A completion is what may stand in place of the word being typed.
type completion struct {
	start   int      // where the word begins
	choices []string // each with what separates it from what follows
}

// common returns the longest beginning of all choices.
func (c completion) common() string {
	if len(c.choices) == 0 {
		return ""
	}
	first := c.choices[0]
	for _, other := range c.choices[1:] {
		n := 0
		for n < len(first) && n < len(other) && first[n] == other[n] {
			n++
		}
		first = first[:n]
	}
	return first
}

// complete finds what the last word of a line may become. It may ask the
// server. A line that cannot be taken apart is an error.
func (v *vocabulary) complete(ctx context.Context, line string) (completion, error) {
	words, err := splitWords(line)
	if err != nil {
		return completion{}, err
	}
	current := word{start: len(line), plain: true}
	if n := len(words); n > 0 && !isSpace(line[len(line)-1]) {
		words, current = words[:n-1], words[n-1]
	}
	if !current.plain {
		return completion{}, nil
	}
	earlier := texts(words)
	var choices []string
	switch {
	case len(earlier) == 0:
		choices, err = v.commandNames(ctx, "help")
	case earlier[0] == "help" && len(earlier) == 1:
		choices, err = v.commandNames(ctx)
	case earlier[0] == "help":
		choices, err = v.arguments(ctx, earlier[1:], current.text)
	default:
		choices, err = v.arguments(ctx, earlier, current.text)
	}
	choices = slices.DeleteFunc(choices, func(c string) bool { return !strings.HasPrefix(c, current.text) })
	slices.Sort(choices)
	return completion{current.start, slices.Compact(choices)}, err
}

func (v *vocabulary) commandNames(ctx context.Context, more ...string) ([]string, error) {
	s, err := v.schema(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range append(s.names("command"), more...) {
		names = append(names, name+" ")
	}
	return names, nil
}

// arguments returns what may stand in place of the last of a command's words.
func (v *vocabulary) arguments(ctx context.Context, earlier []string, last string) ([]string, error) {
	command, given := earlier[0], newBranch()
	for _, w := range earlier[1:] {
		if one, err := parseArguments([]string{w}); err == nil {
			given.merge(one)
		}
	}
	fields, err := v.fields(ctx, command, given)
	if err != nil {
		return nil, err
	}
	name, _, hasValue := strings.Cut(last, "=")
	path := strings.Split(name, ".")
	for _, key := range path[:len(path)-1] {
		fields, given = v.known.inside(fields, given, key)
	}
	key := path[len(path)-1]
	prefix := strings.TrimSuffix(name, key)
	if !hasValue {
		return v.known.memberNames(fields, given, prefix), nil
	}
	f, _ := find(fields, key)
	values, err := v.values(ctx, command, name, f.typ)
	for i := range values {
		values[i] = name + "=" + values[i] + " "
	}
	return values, err
}

// merge adds another tree's leaves; one that is there already stays.
func (a *argument) merge(other *argument) {
	for _, key := range other.keys {
		there, n := a.below[key], other.below[key]
		if there == nil {
			a.keys = append(a.keys, key)
			a.below[key] = n
		} else if there.below != nil && n.below != nil {
			there.merge(n)
		}
	}
}

// inside returns the fields of the field called key, and what is given of them.
func (s *schema) inside(fields []field, given *argument, key string) ([]field, *argument) {
	f, _ := find(fields, key)
	typ := s.branchType(f.typ)
	if given = given.below[key]; given == nil || given.below == nil {
		given = newBranch()
	}
	if typ != nil && typ.Meta == "array" {
		return s.listFields(typ, given), given
	}
	return s.fields(typ, given), given
}

// listFields are the names under which a list's elements are given: those
// there are and the next.
func (s *schema) listFields(array *entity, given *argument) []field {
	var list []field
	for i := range len(given.keys) + 1 {
		list = append(list, field{name: strconv.Itoa(i), typ: s.entities[array.ElementType], optional: true})
	}
	return list
}

// memberNames completes a name: with "=" if a value can follow, with "." if
// members can. What has its value already is left out.
func (s *schema) memberNames(fields []field, given *argument, prefix string) []string {
	var names []string
	for _, f := range fields {
		there := given.below[f.name]
		if there != nil && there.below == nil {
			continue
		}
		t := s.branchType(f.typ)
		branches := t != nil && (t.Meta == "object" || t.Meta == "array")
		if branches {
			names = append(names, prefix+f.name+".")
		}
		if there == nil && (!branches || t != f.typ) {
			names = append(names, prefix+f.name+"=")
		}
	}
	return names
}

// values returns the values an argument may have, as far as they can be listed.
func (v *vocabulary) values(ctx context.Context, command, name string, typ *entity) ([]string, error) {
	switch command + " " + name {
	case "device_add driver", "device-list-properties typename":
		types, err := v.deviceTypes(ctx)
		return slices.Clone(types), err
	case "device_del id":
		return v.deviceIDs(ctx)
	}
	return v.known.values(typ), nil
}

func (s *schema) values(typ *entity) []string {
	switch {
	case typ == nil:
		return nil
	case typ.Meta == "enum":
		return slices.Clone(typ.enum())
	case typ.JSONType == "boolean":
		return []string{"on", "off"}
	case typ.Meta != "alternate":
		return nil
	}
	var all []string
	for _, m := range typ.Members {
		if t := s.entities[m.Type]; t != nil && t.Meta != "alternate" {
			all = append(all, s.values(t)...)
		}
	}
	return all
}
