package main

import (
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// tiny is a schema with one of everything.
const tiny = `[
 {"name": "do", "meta-type": "command", "arg-type": "1", "ret-type": "0"},
 {"name": "0", "meta-type": "object", "members": []},
 {"name": "1", "meta-type": "object", "tag": "kind", "members": [
   {"name": "kind", "type": "2"}, {"name": "s", "type": "str"}, {"name": "i", "type": "int", "default": null},
   {"name": "n", "type": "number"}, {"name": "b", "type": "bool"}, {"name": "z", "type": "null"}, {"name": "any", "type": "any"},
   {"name": "list", "type": "[int]"}, {"name": "objects", "type": "[3]"}, {"name": "ref", "type": "4"},
   {"name": "enable", "type": "5"}, {"name": "odd", "type": "6"}],
  "variants": [{"case": "x", "type": "3"}, {"case": "y", "type": "0"}, {"case": "ring", "type": "1"}]},
 {"name": "2", "meta-type": "enum", "members": [{"name": "x"}, {"name": "y"}, {"name": "ring"}], "values": ["x", "y", "ring"]},
 {"name": "3", "meta-type": "object", "members": [{"name": "depth", "type": "int"}, {"name": "deep", "type": "3", "default": null}]},
 {"name": "4", "meta-type": "alternate", "members": [{"type": "3"}, {"type": "str"}]},
 {"name": "5", "meta-type": "alternate", "members": [{"type": "bool"}, {"type": "2"}]},
 {"name": "6", "meta-type": "alternate", "members": [{"type": "int"}, {"type": "[int]"}]},
 {"name": "[int]", "meta-type": "array", "element-type": "int"},
 {"name": "[3]", "meta-type": "array", "element-type": "3"},
 {"name": "str", "meta-type": "builtin", "json-type": "string"},
 {"name": "int", "meta-type": "builtin", "json-type": "int"},
 {"name": "number", "meta-type": "builtin", "json-type": "number"},
 {"name": "bool", "meta-type": "builtin", "json-type": "boolean"},
 {"name": "null", "meta-type": "builtin", "json-type": "null"},
 {"name": "any", "meta-type": "builtin", "json-type": "value"}]`

func tinySchema(t testing.TB) *schema {
	t.Helper()
	v, err := qobject.ParseJSON(tiny)
	if err != nil {
		t.Fatal(err)
	}
	s, err := readSchema(v)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// typed returns the JSON that words become as arguments of command do.
func typed(s *schema, words []string) (string, error) {
	tree, err := parseArguments(words)
	if err != nil {
		return "", err
	}
	d, err := s.object(tree, s.fields(s.entities["1"], tree), "")
	if err != nil {
		return "", err
	}
	return qobject.Encode(d), nil
}

func TestTyping(t *testing.T) {
	s := tinySchema(t)
	for _, c := range []struct{ words, want, err string }{
		{"s=5", `{"s": "5"}`, ""},
		{"s=", `{"s": ""}`, ""},
		{"s=a=b", `{"s": "a=b"}`, ""},
		{"i=5", `{"i": 5}`, ""},
		{"i=-5", `{"i": -5}`, ""},
		{"i=0x1f", `{"i": 31}`, ""},
		{"i=010", `{"i": 10}`, ""},
		{"i=64M", `{"i": 67108864}`, ""},
		{"i=1k", `{"i": 1024}`, ""},
		{"i=18446744073709551615", `{"i": 18446744073709551615}`, ""},
		{"i=16E", "", "argument 'i': '16E' is not an integer"},
		{"i=M", "", "argument 'i': 'M' is not an integer"},
		{"i=1_0", "", "argument 'i': '1_0' is not an integer"},
		{"i=1.5", "", "argument 'i': '1.5' is not an integer"},
		{"n=1.5", `{"n": 1.5}`, ""},
		{"n=inf", "", "argument 'n': 'inf' is not a number"},
		{"b=on", `{"b": true}`, ""},
		{"b=false", `{"b": false}`, ""},
		{"b=1", "", "argument 'b': '1' is neither on nor off"},
		{"z=null", `{"z": null}`, ""},
		{"z=0", "", "argument 'z': '0' is not null"},
		{"any=5", `{"any": "5"}`, ""},
		{"kind=x", `{"kind": "x"}`, ""},
		{"kind=no", `{"kind": "no"}`, ""},
		{"kind=x depth=3", `{"kind": "x", "depth": 3}`, ""},
		{"depth=3 kind=x", `{"kind": "x", "depth": 3}`, ""},
		{"kind=x deep.deep.depth=3", `{"kind": "x", "deep": {"deep": {"depth": 3}}}`, ""},
		{"kind=x deep.depth=no", "", "argument 'deep.depth': 'no' is not an integer"},
		{"kind=y depth=3", `{"kind": "y", "depth": "3"}`, ""},
		{"kind=ring i=1", `{"kind": "ring", "i": 1}`, ""},
		{"depth=3", `{"depth": "3"}`, ""},
		{"list.0=1 list.1=2", `{"list": [1, 2]}`, ""},
		{"list.1=2 list.0=1", `{"list": [1, 2]}`, ""},
		{"list.1=2", "", "argument 'list.0' is missing from the list"},
		{"list.0=a", "", "argument 'list.0': 'a' is not an integer"},
		{"list=1", `{"list": "1"}`, ""},
		{"objects.0.depth=1 objects.1.depth=2", `{"objects": [{"depth": 1}, {"depth": 2}]}`, ""},
		{"ref=5", `{"ref": "5"}`, ""},
		{"ref.depth=5", `{"ref": {"depth": 5}}`, ""},
		{"enable=x", `{"enable": "x"}`, ""},
		{"enable=on", `{"enable": true}`, ""},
		{"enable=what", `{"enable": "what"}`, ""},
		{"odd=7", `{"odd": 7}`, ""},
		{"odd.0=7", `{"odd": [7]}`, ""},
		{"new.thing=5", `{"new": {"thing": "5"}}`, ""},
		{"new.0=5", `{"new": ["5"]}`, ""},
		{"s:=5", `{"s": 5}`, ""},
		{"ref:={\"a\":[null]}", `{"ref": {"a": [null]}}`, ""},
		{"deep.s:=[]", `{"deep": {"s": []}}`, ""},
		{"s:=", "", "argument 's': "},
		{"s", "", "argument 's' is not NAME=VALUE"},
		{"=s", "", "argument '': a name is empty"},
		{"a..b=s", "", "argument 'a..b': a name is empty"},
		{"a=1 a=2", "", "argument 'a' is given twice"},
		{"a=1 a.b=2", "", "argument 'a' is given twice"},
		{"a.b=1 a=2", "", "argument 'a' is given twice"},
		{"a:=1 a.b=2", "", "argument 'a' is given twice"},
	} {
		got, err := typed(s, strings.Fields(c.words))
		if !same(t, got, c.want) || (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %s, %v", c.words, got, err)
		}
	}
}

// same compares JSON, whatever the order of members.
func same(t *testing.T, a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	x, err := qobject.ParseJSON(a)
	y, err2 := qobject.ParseJSON(b)
	if err != nil || err2 != nil {
		t.Fatal(a, err, b, err2)
	}
	return qobject.Encode(x) == qobject.Encode(y)
}

func TestReadSchemaOfNonsense(t *testing.T) {
	for _, text := range []string{`{}`, `[5]`, `[{"name": 5}]`, `"x"`} {
		v, err := qobject.ParseJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := readSchema(v); err == nil {
			t.Errorf("%s was read as %v", text, s.entities)
		}
	}
}

// Whatever is typed becomes JSON or an error.
func FuzzArguments(f *testing.F) {
	for _, s := range []string{"kind=x depth=3", "list.0=1 list.1=2", "ref:={\"a\":1}", "a.b.c=1 a=5", "enable=on i=5G objects.0.deep.depth=1"} {
		f.Add(s)
	}
	s := tinySchema(f)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := splitWords(line)
		if err != nil {
			return
		}
		text, err := typed(s, texts(words))
		if err != nil {
			return
		}
		if _, err := qobject.ParseJSON(text); err != nil && !strings.Contains(text, "inf") && !strings.Contains(text, "nan") {
			t.Fatalf("%q became %s: %v", line, text, err)
		}
	})
}
