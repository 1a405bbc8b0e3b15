package qapi

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// loadText loads a schema that is one file, t.json.
func loadText(text string) (*Schema, error) {
	return Load(fstest.MapFS{"t.json": {Data: []byte(text)}}, "t.json")
}

func mustLoad(t *testing.T, text string) *Schema {
	t.Helper()
	s, err := loadText(text)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return s
}

func TestRefuses(t *testing.T) {
	const enum = "{'enum': 'En', 'data': ['one', 'two']}\n"
	const st = "{'struct': 'Sa', 'data': {'a': 'int'}}\n"
	for _, c := range []struct{ name, text, want string }{
		// Syntax.
		{"stray", "\n%", `t.json:2: stray "%"`},
		{"stray rune", "ä", `t.json:1: stray "ä"`},
		{"stray word", "{'enum': nope}", `t.json:1: stray "nope"`},
		{"not an object", "['a']", "t.json:1: top-level expression must be an object, not an array"},
		{"unterminated", "{'enum", `t.json:1: missing terminating "'"`},
		{"string over line", "{'enum\n'", `t.json:1: missing terminating "'"`},
		{"non-ASCII", "{'é': 'a'}", "t.json:1: funny character in string"},
		{"escape", `{'\n': 'a'}`, "t.json:1: unknown escape in string"},
		{"eof", "{'a':", "t.json:1: expected '{', '[', string, or boolean, not end of file"},
		{"comma", "{'a': 'b' 'c'}", "t.json:1: expected ',' or '}', not string 'c'"},
		{"trailing comma", "{'a': 'b',}", "t.json:1: expected string or '}', not '}'"},
		{"colon", "{'a', 'b'}", "t.json:1: expected ':', not ','"},
		{"duplicate key", "{'a': 'b',\n'a': 'c'}", "t.json:2: duplicate key 'a'"},
		{"depth", "{'a': " + strings.Repeat("[", 40), "t.json:1: expression is nested too deeply"},
		{"unknown expression", "{'strukt': 'Sa'}", "t.json:1: expression is missing one of 'enum', 'struct', 'union', 'alternate', 'command', 'event', 'include', 'pragma'"},
		{"empty expression", "{}", "t.json:1: expression is missing one of 'enum', 'struct', 'union', 'alternate', 'command', 'event', 'include', 'pragma'"},
		{"name no string", "{'enum': true, 'data': []}", "t.json:1: 'enum' must have a string name"},

		// Directives.
		{"include missing", "{'include': 'no.json'}", "t.json:1: can't read include 'no.json': file does not exist"},
		{"include outside", "{'include': '../up.json'}", "t.json:1: include '../up.json' leaves the schema's directory"},
		{"include type", "{'include': []}", "t.json:1: value of 'include' must be a string"},
		{"include extra", "{'include': 'a', 'if': 'X'}", "t.json:1: invalid 'include' directive"},
		{"pragma unknown", "{'pragma': {'x': true}}", "t.json:1: unknown pragma 'x'"},
		{"pragma type", "{'pragma': {'doc-required': 'yes'}}", "t.json:1: pragma 'doc-required' must be boolean"},
		{"pragma list", "{'pragma': {'member-name-exceptions': [[]]}}", "t.json:1: pragma 'member-name-exceptions' must be a list of strings"},
		{"pragma no object", "{'pragma': []}", "t.json:1: value of 'pragma' must be an object"},

		// Names.
		{"duplicate", enum + enum, "t.json:2: 'En' is already defined at t.json:1"},
		{"duplicate kinds", "{'command': 'ab'}\n{'command': 'ab'}", "t.json:2: 'ab' is already defined at t.json:1"},
		{"redefine built-in", "{'enum': 'int', 'data': []}", "t.json:1: 'int' is already defined as a built-in type"},
		{"bad name", "{'enum': 'a b', 'data': []}", "t.json:1: enum has an invalid name 'a b'"},
		{"case of type", "{'enum': 'lower', 'data': []}", "t.json:1: name of enum 'lower' must be in CamelCase"},
		{"List", "{'enum': 'SaList', 'data': []}", "t.json:1: name of enum 'SaList' must not end in 'List'"},
		{"reserved q_", "{'command': 'q_x'}", "t.json:1: command uses the reserved name 'q_x'"},
		{"command case", "{'command': 'do_it'}", "t.json:1: name of command 'do_it' must be in lower-case with hyphens"},
		{"event case", "{'event': 'Gone'}", "t.json:1: name of event 'Gone' must be in UPPER_CASE with underscores"},
		{"member case", "{'struct': 'Sa', 'data': {'a_b': 'int'}}", "t.json:1: name of member 'a_b' must be in lower-case with hyphens"},
		{"member has-", "{'struct': 'Sa', 'data': {'has-a': 'int'}}", "t.json:1: member uses the reserved name 'has-a'"},
		{"member u", "{'struct': 'Sa', 'data': {'u': 'int'}}", "t.json:1: member uses the reserved name 'u'"},
		{"empty member", "{'struct': 'Sa', 'data': {'*': 'int'}}", "t.json:1: member has an invalid name ''"},
		{"feature name", "{'event': 'EV', 'features': ['A']}", "t.json:1: name of feature 'A' must be in lower-case with hyphens"},

		// Keys and flags.
		{"unknown key", "{'struct': 'Sa', 'data': {}, 'extra': 'x'}", "t.json:1: struct 'Sa' has unknown key 'extra'"},
		{"missing key", "{'struct': 'Sa'}", "t.json:1: struct 'Sa' misses key 'data'"},
		{"member key", "{'struct': 'Sa', 'data': {'a': {'type': 'int', 'default': 'x'}}}", "t.json:1: member 'a' has unknown key 'default'"},
		{"flag", "{'command': 'ab', 'gen': true}", "t.json:1: flag 'gen' may only be false"},
		{"flag type", "{'command': 'ab', 'boxed': 'x'}", "t.json:1: flag 'boxed' may only be true"},
		{"oob coroutine", "{'command': 'ab', 'allow-oob': true, 'coroutine': true}", "t.json:1: flags 'allow-oob' and 'coroutine' of command 'ab' are incompatible"},
		{"features", "{'event': 'EV', 'features': 'x'}", "t.json:1: 'features' must be an array"},
		{"feature twice", "{'event': 'EV', 'features': ['x', 'x']}", "t.json:1: feature 'x' is given twice"},
		{"feature object", "{'event': 'EV', 'features': [{'name': 'x', 'foo': 'y'}]}", "t.json:1: feature has unknown key 'foo'"},
		{"if type", "{'event': 'EV', 'if': []}", "t.json:1: 'if' condition must be a string or an object"},
		{"if name", "{'event': 'EV', 'if': 'a b'}", "t.json:1: 'if' condition 'a b' is not a valid identifier"},
		{"if key", "{'event': 'EV', 'if': {'xor': ['A']}}", "t.json:1: 'if' condition has unknown key 'xor'"},
		{"if empty", "{'event': 'EV', 'if': {'any': []}}", "t.json:1: 'any' in an 'if' condition must be a non-empty array"},
		{"if two", "{'event': 'EV', 'if': {'not': 'A', 'all': ['B']}}", "t.json:1: 'if' condition object must have exactly one of 'all', 'any', 'not'"},

		// Types.
		{"unknown type", "{'struct': 'Sa', 'data': {'a': 'Zz'}}", "t.json:1: member 'a' of 'Sa' uses unknown type 'Zz'"},
		{"unknown return", "{'command': 'ab', 'returns': 'Zz'}", "t.json:1: command 'ab' returns unknown type 'Zz'"},
		{"array of two", "{'struct': 'Sa', 'data': {'a': ['int', 'str']}}", "t.json:1: member 'a': array type must contain a single type name"},
		{"base unknown", "{'struct': 'Sa', 'base': 'Zz', 'data': {}}", "t.json:1: 'base' of 'Sa' uses unknown type 'Zz'"},
		{"base enum", enum + "{'struct': 'Sa', 'base': 'En', 'data': {}}", "t.json:2: 'base' of 'Sa' must be a struct type, not 'En'"},
		{"base self", "{'struct': 'Sa', 'base': 'Sa', 'data': {}}", "t.json:1: struct 'Sa' contains itself"},
		{"base loop", "{'struct': 'Sa', 'base': 'Sb', 'data': {}}\n{'struct': 'Sb', 'base': 'Sa', 'data': {}}", "t.json:1: struct 'Sa' contains itself"},
		{"member loop", "{'struct': 'Sa', 'data': {'b': 'Sb'}}\n{'struct': 'Sb', 'data': {'a': 'Sa'}}", "t.json:1: struct 'Sa' contains itself"},
		{"collision", st + "{'struct': 'Sb', 'base': 'Sa', 'data': {'a': 'str'}}", "t.json:2: member 'a' of 'Sb' collides with member 'a' at t.json:1"},
		{"fold collision", "{'pragma': {'member-name-exceptions': ['Sa']}}{'struct': 'Sa', 'data': {'a-b': 'int', 'a_b': 'int'}}", "t.json:1: member 'a_b' of 'Sa' collides with member 'a-b' at t.json:1"},
		{"optional twin", "{'struct': 'Sa', 'data': {'a': 'int', '*a': 'int'}}", "t.json:1: member 'a' of 'Sa' collides with member 'a' at t.json:1"},
		{"enum twice", "{'enum': 'En', 'data': ['a', 'a']}", "t.json:1: value 'a' collides with another value of enum 'En'"},
		{"enum data", "{'enum': 'En', 'data': {}}", "t.json:1: 'data' of enum 'En' must be an array"},
		{"enum value", "{'enum': 'En', 'data': [true]}", "t.json:1: enum value must be a string or an object with a string 'name'"},

		// Unions.
		{"union no base", "{'union': 'Un', 'discriminator': 't', 'data': {}}", "t.json:1: union 'Un' misses key 'base'"},
		{"tag absent", enum + st + "{'union': 'Un', 'base': {'t': 'En'}, 'discriminator': 'x', 'data': {'one': 'Sa'}}", "t.json:3: discriminator 'x' of union 'Un' is not a member of 'base'"},
		{"tag type", st + "{'union': 'Un', 'base': {'t': 'str'}, 'discriminator': 't', 'data': {'one': 'Sa'}}", "t.json:2: discriminator 't' of union 'Un' must be of enum type"},
		{"tag optional", enum + st + "{'union': 'Un', 'base': {'*t': 'En'}, 'discriminator': 't', 'data': {'one': 'Sa'}}", "t.json:3: discriminator 't' of union 'Un' must not be optional"},
		{"tag conditional", enum + st + "{'union': 'Un', 'base': {'t': {'type': 'En', 'if': 'A'}}, 'discriminator': 't', 'data': {'one': 'Sa'}}", "t.json:3: discriminator 't' of union 'Un' must not be conditional"},
		{"no branches", enum + "{'union': 'Un', 'base': {'t': 'En'}, 'discriminator': 't', 'data': {}}", "t.json:2: union 'Un' has no branches"},
		{"branch value", enum + st + "{'union': 'Un', 'base': {'t': 'En'}, 'discriminator': 't', 'data': {'three': 'Sa'}}", "t.json:3: branch 'three' of 'Un' is not a value of enum 'En'"},
		{"branch type", enum + "{'union': 'Un', 'base': {'t': 'En'}, 'discriminator': 't', 'data': {'one': 'int'}}", "t.json:2: branch 'one' of 'Un' must be a struct or union type, not 'int'"},
		{"branch array", enum + st + "{'union': 'Un', 'base': {'t': 'En'}, 'discriminator': 't', 'data': {'one': ['Sa']}}", "t.json:3: branch 'one' can't be an array"},
		{"branch collision", enum + "{'struct': 'Sa', 'data': {'t': 'int'}}\n{'union': 'Un', 'base': {'t': 'En'}, 'discriminator': 't', 'data': {'one': 'Sa'}}", "t.json:2: member 't' of 'Un' collides with member 't' at t.json:3"},
		{"union as base", enum + st + "{'union': 'Un', 'base': {'t': 'En'}, 'discriminator': 't', 'data': {'one': 'Sa'}}\n{'struct': 'Sb', 'base': 'Un', 'data': {}}", "t.json:4: 'base' of 'Sb' must be a struct type, not 'Un'"},

		// Alternates.
		{"alternate empty", "{'alternate': 'Al', 'data': {}}", "t.json:1: 'data' of alternate 'Al' must be a non-empty object"},
		{"alternate optional", "{'alternate': 'Al', 'data': {'*a': 'int'}}", "t.json:1: alternative '*a' can't be optional"},
		{"alternate numbers", "{'alternate': 'Al', 'data': {'a': 'int', 'b': 'number'}}", "t.json:1: alternative 'b' of 'Al' can't be told apart from 'a'"},
		{"alternate strings", "{'alternate': 'Al', 'data': {'a': 'str', 'b': 'bool'}}", "t.json:1: alternative 'b' of 'Al' can't be told apart from 'a'"},
		{"alternate on/off", "{'enum': 'Oo', 'data': ['on', 'auto']}\n{'alternate': 'Al', 'data': {'a': 'bool', 'b': 'Oo'}}", "t.json:2: alternative 'b' of 'Al' can't be told apart from 'a'"},
		{"alternate digits", "{'enum': 'Di', 'data': ['1st']}\n{'alternate': 'Al', 'data': {'a': 'int', 'b': 'Di'}}", "t.json:2: alternative 'b' of 'Al' can't be told apart from 'a'"},
		{"alternate any", "{'alternate': 'Al', 'data': {'a': 'any'}}", "t.json:1: alternative 'a' of 'Al' can't be of type 'any'"},
		{"alternate objects", st + "{'struct': 'Sb', 'data': {}}{'alternate': 'Al', 'data': {'a': 'Sa', 'b': 'Sb'}}", "t.json:2: alternative 'b' of 'Al' can't be told apart from 'a'"},

		// Commands and events.
		{"data scalar", "{'command': 'ab', 'data': 'int'}", "t.json:1: 'data' of 'ab' must be a struct or union type, not 'int'"},
		{"data array", "{'command': 'ab', 'data': ['int']}", "t.json:1: must be a type name or an object"},
		{"boxed without", "{'event': 'EV', 'boxed': true}", "t.json:1: 'boxed' requires 'data'"},
		{"boxed implicit", "{'event': 'EV', 'boxed': true, 'data': {}}", "t.json:1: 'data' must be a type name with 'boxed': true"},
		{"union unboxed", enum + st + "{'union': 'Un', 'base': {'t': 'En'}, 'discriminator': 't', 'data': {'one': 'Sa'}}\n{'command': 'ab', 'data': 'Un'}", "t.json:4: 'data' of 'ab' can be union type 'Un' only with 'boxed': true"},
		{"return scalar", "{'command': 'ab', 'returns': 'int'}", "t.json:1: command 'ab' must not return 'int'"},
		{"return array", "{'command': 'ab', 'returns': ['str']}", "t.json:1: command 'ab' must not return '[str]'"},

		// Documentation.
		{"doc unterminated", "##\n# @En:\n", "t.json:1: documentation comment must end with '##'"},
		{"doc junk", "## x\n", "t.json:1: junk after '##' at start of documentation comment"},
		{"doc junk end", "##\n## x\n", "t.json:2: junk after '##' at end of documentation comment"},
		{"doc space", "##\n#x\n##\n", "t.json:2: missing space after #"},
		{"doc colon", "##\n# @En\n##\n" + enum, "t.json:2: line should end with ':' after the definition's name"},
		{"doc alone", "##\n# @En:\n##\n", "t.json:1: documentation for 'En' is not followed by the definition"},
		{"doc twice", "##\n# @En:\n##\n##\n# @Em:\n##\n" + enum, "t.json:1: documentation for 'En' is not followed by the definition"},
		{"doc for include", "##\n# @En:\n##\n{'pragma': {}}", "t.json:1: documentation for 'En' is not followed by the definition"},
		{"doc other", "##\n# @Em:\n##\n" + enum, "t.json:1: documentation comment is for 'Em', but 'En' follows"},
		{"doc unknown member", "##\n# @En:\n#\n# @three: x\n##\n" + enum, "t.json:4: documented member 'three' does not exist in 'En'"},
		{"doc unknown feature", "##\n# @En:\n#\n# Features:\n# @x: y\n##\n" + enum, "t.json:5: documented feature 'x' does not exist in 'En'"},
		{"doc member twice", "##\n# @En:\n# @one: x\n# @one: y\n##\n" + enum, "t.json:4: 'one' parameter name is duplicated in the documentation"},
		{"doc required", "{'pragma': {'doc-required': true}}\n" + enum, "t.json:2: enum 'En' needs a documentation comment"},
		{"doc member missing", "{'pragma': {'doc-required': true}}\n##\n# @En:\n# @one: x\n##\n" + enum, "t.json:2: member 'two' of 'En' lacks documentation"},
		{"doc returns", "##\n# @EV:\n# Returns: x\n##\n{'event': 'EV'}", "t.json:1: 'Returns' section, but event 'EV' returns nothing"},
		{"doc errors", "##\n# @EV:\n# Errors:\n#     - x\n##\n{'event': 'EV'}", "t.json:1: 'Errors' section, but 'EV' is no command"},
		{"doc since twice", "##\n# @EV:\n# Since: 1\n# Since: 2\n##\n{'event': 'EV'}", "t.json:4: duplicated 'Since' section"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := loadText(c.text)
			if err == nil {
				t.Fatalf("accepted, want %q", c.want)
			}
			if err.Error() != c.want {
				t.Errorf("got  %q\nwant %q", err, c.want)
			}
		})
	}
}

func TestAccepts(t *testing.T) {
	s := mustLoad(t, `# plain comment
{ 'pragma': { 'command-returns-exceptions': ['get'], 'command-name-exceptions': ['old_name'] } }
##
# = Title
#
# Free-form text.
##
##
# @Kind:
#
# Body line one
# and two, of @old.
#
# @old: an old one
#     goes on
#
# @new: a new one
#
# Features:
#
# @deprecated: old is
#
# Since: 1.0
##
{ 'enum': 'Kind', 'prefix': 'K', 'data': [ {'name': 'old', 'features': ['deprecated']}, {'name': 'new', 'if': 'NEW'} ] }
{ 'struct': 'Base', 'data': { 'kind': 'Kind', '*next': 'Both' } }
{ 'struct': 'Extra', 'data': { 'list': ['Extra'], 'ref': 'Ref' } }
{ 'union': 'Both', 'base': 'Base', 'discriminator': 'kind', 'data': { 'new': { 'type': 'Extra', 'if': { 'all': ['NEW', { 'not': 'OLD' }] } } } }
{ 'alternate': 'Ref', 'data': { 'here': 'Extra', 'there': 'str', 'nowhere': 'null' } }
{ 'command': 'old_name', 'data': 'Both', 'boxed': true, 'success-response': false }
{ 'command': 'get', 'returns': 'any', 'coroutine': true, 'features': [{'name': 'unstable', 'if': {'any': ['NEW']}}] }
{ 'command': 'oob', 'data': {}, 'allow-oob': true, 'allow-preconfig': true, 'gen': false }
{ 'event': '__ORG.EXAMPLE_DONE', 'data': { '*x-a': { 'type': 'size', 'features': ['unstable'] } } }
`)
	if got, want := len(s.Definitions), 9; got != want {
		t.Fatalf("%d definitions, want %d", got, want)
	}
	kind := s.Definitions[0].(*Enum)
	if d := kind.Doc; d.Body != "Body line one\nand two, of @old." || d.Arg("old") != "an old one\ngoes on" || d.Since != "1.0" || d.Features[0].Text != "old is" {
		t.Errorf("documentation taken apart wrongly: %+v", d)
	}
	both := s.Definitions[3].(*Object)
	if both.Tag == nil || both.Tag.Name != "kind" || both.Branches[0].Object().Name != "Extra" || both.Meta() != "union" {
		t.Errorf("union linked wrongly: %+v", both)
	}
	if got := both.Branches[0].If.String(); got != "(NEW && !OLD)" {
		t.Errorf("condition prints %q", got)
	}
	cmd := s.Definitions[5].(*Command)
	if cmd.Arg != both || !cmd.Boxed || cmd.SuccessResponse || !cmd.Gen {
		t.Errorf("command read wrongly: %+v", cmd)
	}
	if get := s.Definitions[6].(*Command); !get.Coroutine || get.Ret.TypeName() != "any" || !get.HasFeature("unstable") {
		t.Errorf("command read wrongly: %+v", get)
	}
	if list := s.Definitions[2].(*Object).Members[0].Type.TypeName(); list != "[Extra]" {
		t.Errorf("array type is called %q", list)
	}
}

func TestIncludes(t *testing.T) {
	fsys := fstest.MapFS{
		"root.json":    {Data: []byte("{'include': 'sub/a.json'}{'include': 'sub/b.json'}")},
		"sub/a.json":   {Data: []byte("{'include': 'b.json'}{'struct': 'Aa', 'data': {'b': 'Bb'}}")},
		"sub/b.json":   {Data: []byte("{'include': 'a.json'}{'include': '../root.json'}{'struct': 'Bb', 'data': {}}")},
		"broken.json":  {Data: []byte("{'include': 'sub/c.json'}")},
		"sub/c.json":   {Data: []byte("\n{'include': 'gone.json'}")},
		"sub/ddd.json": {Data: []byte("never read")},
	}
	s, err := Load(fsys, "root.json")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(s.Modules, " "), "root.json sub/a.json sub/b.json"; got != want {
		t.Errorf("modules %q, want %q", got, want)
	}
	if len(s.Definitions) != 2 || s.Definitions[0].Head().Module != "sub/b.json" {
		t.Errorf("each file must be read once, where it is first included: %v", s.Definitions)
	}
	if _, err := Load(fsys, "broken.json"); err == nil || err.Error() != "sub/c.json:2: can't read include 'gone.json': file does not exist" {
		t.Errorf("missing include: %v", err)
	}
	if _, err := Load(fsys, "nothing.json"); err == nil {
		t.Error("a missing root is no error")
	}
}

func TestSelect(t *testing.T) {
	s := mustLoad(t, `
{ 'enum': 'En', 'data': ['a', {'name': 'b', 'if': 'B'}] }
{ 'struct': 'Opt', 'if': 'OPT', 'data': {} }
{ 'struct': 'Sa', 'data': { 'x': 'int', 'y': {'type': 'Opt', 'if': {'all': ['OPT']}} }, 'features': [{'name': 'f', 'if': {'not': 'OPT'}}] }
{ 'command': 'use-opt', 'data': 'Opt', 'if': {'any': ['OPT', 'FORCE']} }
`)
	defined := func(names ...string) func(string) bool {
		return func(n string) bool { return strings.Contains(" "+strings.Join(names, " ")+" ", " "+n+" ") }
	}
	none, err := s.Select(defined())
	if err != nil {
		t.Fatal(err)
	}
	sa := none.Definitions[1].(*Object)
	if len(none.Definitions) != 2 || len(none.Definitions[0].(*Enum).Values) != 1 || len(sa.Members) != 1 || !sa.HasFeature("f") {
		t.Errorf("Select() kept too much or too little: %+v", none.Definitions)
	}
	all, err := s.Select(defined("OPT", "B"))
	if err != nil {
		t.Fatal(err)
	}
	if sa := all.Definitions[2].(*Object); len(all.Definitions) != 4 || len(sa.Members) != 2 || sa.HasFeature("f") {
		t.Errorf("Select(OPT, B) kept too much or too little: %+v", all.Definitions)
	}
	if _, err := s.Select(defined("FORCE")); err == nil || err.Error() != "t.json:5: 'data' of 'use-opt' uses unknown type 'Opt'" {
		t.Errorf("dangling reference: %v", err)
	}
}

// FuzzParse loads arbitrary text: it must not panic or hang, and what it
// accepts must have a description.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "{'enum': 'En', 'data': ['a']}", "##\n# @En:\n#\n# @a: x\n##\n{'enum': 'En', 'data': ['a']}",
		"{'struct': 'Sa', 'base': 'Sa', 'data': {'*a': ['Sa']}}",
		"{'enum': 'En', 'data': ['a']}{'struct': 'Sa', 'data': {}}{'union': 'Un', 'base': {'t': 'En'}, 'discriminator': 't', 'data': {'a': 'Sa'}}{'command': 'ab', 'boxed': true, 'data': 'Un', 'returns': ['Sa']}",
		"{'alternate': 'Al', 'data': {'a': 'int', 'b': 'str'}}{'event': 'EV', 'data': {'a': 'Al'}, 'if': {'not': {'any': ['A']}}}",
		"{'include': 't.json'}{'pragma': {'doc-required': true}}",
	} {
		f.Add(seed)
	}
	files, err := filepath.Glob("schema/*.json")
	if err != nil || len(files) == 0 {
		f.Fatalf("the machine's schema is missing: %v", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := loadText(text)
		if err != nil {
			return
		}
		s.Introspect()
		for _, all := range []bool{true, false} {
			sub, err := s.Select(func(string) bool { return all })
			if e := (*Error)(nil); err != nil && !errors.As(err, &e) {
				t.Errorf("Select: %T %v", err, err)
			} else if err == nil {
				sub.Introspect()
			}
		}
	})
}
