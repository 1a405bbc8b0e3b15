package qapi

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

func TestIntrospect(t *testing.T) {
	s := mustLoad(t, `
{ 'enum': 'En', 'data': [ 'one', {'name': 'two', 'features': ['deprecated']} ] }
{ 'struct': 'Sa', 'data': { 'n': ['uint8'], '*s': {'type': 'size', 'features': ['unstable']} } }
{ 'union': 'Un', 'base': { 'e': 'En' }, 'discriminator': 'e', 'data': { 'two': 'Sa' } }
{ 'alternate': 'Al', 'data': { 'a': 'int32', 'b': ['Un'] } }
{ 'struct': 'Unused', 'data': {} }
{ 'command': 'do-it', 'data': 'Un', 'boxed': true, 'returns': 'Sa', 'allow-oob': true, 'features': ['json-cli'] }
{ 'event': 'DONE', 'data': { 'a': 'Al' } }
{ 'event': 'NOTHING' }
`)
	want := []string{
		`{"name": "do-it", "ret-type": "1", "allow-oob": true, "meta-type": "command", "arg-type": "0", "features": ["json-cli"]}`,
		`{"name": "DONE", "meta-type": "event", "arg-type": "2"}`,
		`{"name": "NOTHING", "meta-type": "event", "arg-type": "3"}`,
		`{"name": "0", "tag": "e", "variants": [{"case": "two", "type": "1"}, {"case": "one", "type": "3"}], "members": [{"name": "e", "type": "4"}], "meta-type": "object"}`,
		`{"name": "1", "members": [{"name": "n", "type": "[int]"}, {"name": "s", "default": null, "type": "int", "features": ["unstable"]}], "meta-type": "object"}`,
		`{"name": "2", "members": [{"name": "a", "type": "5"}], "meta-type": "object"}`,
		`{"name": "3", "members": [], "meta-type": "object"}`,
		`{"name": "4", "members": [{"name": "one"}, {"name": "two", "features": ["deprecated"]}], "meta-type": "enum", "values": ["one", "two"]}`,
		`{"name": "[int]", "element-type": "int", "meta-type": "array"}`,
		`{"name": "int", "json-type": "int", "meta-type": "builtin"}`,
		`{"name": "5", "members": [{"type": "int"}, {"type": "[0]"}], "meta-type": "alternate"}`,
		`{"name": "[0]", "element-type": "0", "meta-type": "array"}`,
	}
	got := s.Introspect()
	for i, info := range got {
		text := qobject.Encode(info)
		if i >= len(want) {
			t.Errorf("further entry %s", text)
		} else if text != want[i] {
			t.Errorf("entry %d:\ngot  %s\nwant %s", i, text, want[i])
		}
	}
	if len(got) < len(want) {
		t.Errorf("%d entries, want %d", len(got), len(want))
	}
}

// info is SchemaInfo as the comparison needs it.
type info struct {
	Name     string
	MetaType string `json:"meta-type"`
	Features []string
	JSONType string   `json:"json-type"`
	Element  string   `json:"element-type"`
	Values   []string `json:"values"`
	Members  []member
	Tag      string
	Variants []struct{ Case, Type string }
	Arg      string `json:"arg-type"`
	Ret      string `json:"ret-type"`
	OOB      bool   `json:"allow-oob"`
}

type member struct {
	Name, Type string
	Default    json.RawMessage // "null" when optional, absent otherwise
	Features   []string
}

// comparison walks our schema and QEMU's in parallel.
type comparison struct {
	t            *testing.T
	ours, theirs map[string]info
	seen         map[[2]string]bool
}

// restricted names the places whose enumerations list only what the machine
// supports.
var restricted = map[string]bool{"driver": true, "type": true, "compression-type": true, "qom-type": true}

// leftOut names the optional members of qcow2's types that we do not have,
// because clients take their being there for the feature being there.
var leftOut = map[string]bool{"encrypt": true, "overlap-check": true, "bitmaps": true, "data-file": true, "data-file-raw": true}

// extensions names the commands and events that QEMU does not have.
var extensions = map[string]bool{
	"x-query-stalls": true, "x-cancel": true, "X_EVENTS_LOST": true, "x-monitor-add": true, "x-monitor-remove": true,
}

// TestLikeQEMU compares the machine's schema with the reply of QEMU 10.0:
// every command, event and type we have must look the same there.
func TestLikeQEMU(t *testing.T) {
	s, err := Load(os.DirFS("schema"), "qapi-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	// The recording lies beside the checkout; testdata has the part we need.
	theirs, err := os.ReadFile("../../shared/reference/qmp-schema-10.0.json")
	if err != nil {
		if theirs, err = os.ReadFile("testdata/qmp-schema-10.0.json"); err != nil {
			t.Fatal(err)
		}
	}
	c := comparison{t, index(t, qobject.Append(nil, s.Introspect())), index(t, theirs), map[[2]string]bool{}}
	count := 0
	for name, x := range c.ours {
		if (x.MetaType == "command" || x.MetaType == "event") && !extensions[name] {
			count++
			c.same(name, name, name)
		}
	}
	if count < 40 {
		t.Errorf("only %d commands and events", count)
	}
}

func index(t *testing.T, text []byte) map[string]info {
	t.Helper()
	var list []info
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	m := make(map[string]info, len(list))
	for _, x := range list {
		m[x.Name] = x
	}
	return m
}

// same compares our entity a with QEMU's b; where says how it was reached.
func (c *comparison) same(where, a, b string) {
	if c.seen[[2]string{a, b}] {
		return
	}
	c.seen[[2]string{a, b}] = true
	x, y := c.ours[a], c.theirs[b]
	if y.Name == "" {
		c.t.Errorf("%s: QEMU has no such entity", where)
		return
	}
	if x.MetaType != y.MetaType || x.JSONType != y.JSONType || x.Tag != y.Tag || x.OOB != y.OOB || fmt.Sprint(x.Features) != fmt.Sprint(y.Features) {
		c.t.Errorf("%s: %+v, QEMU has %+v", where, x, y)
		return
	}
	switch x.MetaType {
	case "command", "event":
		c.same(where+" arguments", x.Arg, y.Arg)
		if x.MetaType == "command" {
			c.same(where+" returns", x.Ret, y.Ret)
		}
	case "array":
		c.same(where+"[]", x.Element, y.Element)
	case "enum":
		if !restricted[where[strings.LastIndexByte(where, '.')+1:]] && fmt.Sprint(x.Values) != fmt.Sprint(y.Values) {
			c.t.Errorf("%s: values %v, QEMU has %v", where, x.Values, y.Values)
		}
	case "object", "alternate":
		c.members(where, x, y)
	}
}

func (c *comparison) members(where string, x, y info) {
	if strings.Contains(where, "=qcow2") {
		y.Members = slices.DeleteFunc(slices.Clone(y.Members), func(m member) bool { return leftOut[m.Name] && m.Default != nil })
	}
	if len(x.Members) != len(y.Members) {
		c.t.Errorf("%s: members %v, QEMU has %v", where, x.Members, y.Members)
		return
	}
	for i, m := range x.Members {
		n := y.Members[i]
		if m.Name != n.Name || string(m.Default) != string(n.Default) || fmt.Sprint(m.Features) != fmt.Sprint(n.Features) {
			c.t.Errorf("%s: member %+v, QEMU has %+v", where, m, n)
		}
		c.same(where+"."+m.Name, m.Type, n.Type)
	}
	theirs := map[string]string{}
	for _, v := range y.Variants {
		theirs[v.Case] = v.Type
	}
	for _, v := range x.Variants {
		c.same(where+"="+v.Case, v.Type, theirs[v.Case])
	}
}
