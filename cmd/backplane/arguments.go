package main

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// An argument is a node of the tree that 'a.b=c' words make: a text whose type
// is still open, a JSON value, or a branch with arguments below it.
type argument struct {
	text  string
	value any // set if json
	json  bool
	keys  []string             // of below, in the order given
	below map[string]*argument // nil unless a branch
}

// newBranch returns a tree without leaves.
func newBranch() *argument { return &argument{below: map[string]*argument{}} }

// leaf returns the text below a branch under that name, if there is one.
func (a *argument) leaf(name string) (string, bool) {
	if a == nil || a.below[name] == nil {
		return "", false
	}
	n := a.below[name]
	if n.json {
		s, ok := n.value.(string)
		return s, ok
	}
	return n.text, n.below == nil
}

// parseArguments makes a tree of words of the forms NAME=TEXT and NAME:=JSON.
// A dot in a name leads into an object or, before a number, a list.
func parseArguments(words []string) (*argument, error) {
	root := newBranch()
	for _, w := range words {
		if !utf8.ValidString(w) {
			return nil, fmt.Errorf("argument %q is not UTF-8, which JSON has to be", w)
		}
		name, text, ok := strings.Cut(w, "=")
		if !ok {
			return nil, fmt.Errorf("argument '%s' is not NAME=VALUE", w)
		}
		leaf := &argument{text: text}
		if short, isJSON := strings.CutSuffix(name, ":"); isJSON {
			v, err := qobject.ParseJSON(text)
			if err != nil {
				return nil, fmt.Errorf("argument '%s': %s", short, err.Error())
			}
			name, leaf = short, &argument{value: v, json: true}
		}
		if err := root.put(name, leaf); err != nil {
			return nil, err
		}
	}
	return root, nil
}

// put hangs a leaf into the tree.
func (a *argument) put(name string, leaf *argument) error {
	at := a
	path := strings.Split(name, ".")
	for i, key := range path {
		if key == "" {
			return fmt.Errorf("argument '%s': a name is empty", name)
		}
		next, last := at.below[key], i == len(path)-1
		switch {
		case next == nil && last:
			next = leaf
		case next == nil:
			next = newBranch()
		case last || next.below == nil:
			return fmt.Errorf("argument '%s' is given twice", strings.Join(path[:i+1], "."))
		}
		if at.below[key] == nil {
			at.keys = append(at.keys, key)
			at.below[key] = next
		}
		at = next
	}
	return nil
}

func isIndex(key string) bool {
	_, err := strconv.ParseUint(key, 10, 31)
	return err == nil
}

// elements returns what is below a branch as a list, if all names are numbers.
// They must then count from 0 without a gap, in any order.
func (a *argument) elements(path string) (list []*argument, isList bool, err error) {
	for _, key := range a.keys {
		if !isIndex(key) {
			return nil, false, nil
		}
	}
	for i := range a.keys {
		n := a.below[strconv.Itoa(i)]
		if n == nil {
			return nil, true, fmt.Errorf("argument '%s.%d' is missing from the list", path, i)
		}
		list = append(list, n)
	}
	return list, len(list) > 0, nil
}
