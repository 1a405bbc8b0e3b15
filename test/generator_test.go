package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// entity is SchemaInfo as far as the generator needs it.
type entity struct {
	Name     string
	MetaType string `json:"meta-type"`
	Arg      string `json:"arg-type"`
	Element  string `json:"element-type"`
	Values   []string
	Tag      string
	Members  []struct {
		Name, Type string
		Default    json.RawMessage // there if the member is optional
	}
	Variants []struct{ Case, Type string }
	OOB      bool `json:"allow-oob"`
}

// generator makes commands from a schema, valid ones and others. What it makes
// depends on its source of randomness alone.
type generator struct {
	*rand.Rand
	schema   map[string]entity
	commands []string
}

// words are the values of string members by the member's name; "" is for all
// others. No file of these names can be made, and what is meant to exist does.
var words = map[string][]string{
	"":          {"x", "", "nonesuch", "a.b", "\u00e4", "1a", strings.Repeat("y", 300)},
	"id":        {"o1", "o2", "n0", "rp0", "1a", "", "x y", "riscv_virt_board.ram", "nonesuch"},
	"device":    {"n0", "nonesuch", "", "d0"},
	"node-name": {"n0", "n1", "n2", "n3", "1a", "", "nonesuch", "#block5", strings.Repeat("n", 32)},
	"driver":    {"virtio-rng-pci", "nonesuch", "pci-device", "device", ""},
	"bus":       {"rp0", "rp1", "pcie.0", "nonesuch", ""},
	"path": {"/", "/machine", "/objects", "/objects/o1", "/objects/tg", "/machine/peripheral", "/machine/peripheral/rp0", "rp1", "",
		"/nonesuch", "nonesuch", "machine", "/machine/soc0/harts[0]/nonesuch"},
	"property": {"type", "nonesuch", "realized", "hotplugged", "parent_bus", "chassis", "slot", "poll-max-ns", "size",
		"filename", "opened", "data", "limits", "x-iops-total", "x-bps-read-max-length", ""},
	"filename":       {"/nonesuch/f", "/dev/null/f"},
	"protocol":       {"file:/nonesuch/f", "fd:x", "nonesuch", ""},
	"typename":       {"iothread", "rng-builtin", "nonesuch", "container", ""},
	"implements":     {"rng-random", "nonesuch", "container", "iothread"},
	"file":           {"n0", "nonesuch", ""},
	"keyid":          {"o1", "nonesuch"},
	"throttle-group": {"tg", "nonesuch", ""},
	"type":           {"nonesuch"},
}

// numbers are the values of integers by the member's name.
var numbers = map[string][]string{
	"": {"0", "1", "-1", "5", "4096", "2147483648", "9223372036854775807", "-9223372036854775808",
		"9223372036854775808", "18446744073709551615", "1e30", "1.5", "-0"},
	"size":            {"0", "4096", "1048576"}, // 7.2 does not survive -1
	"latency-ns":      {"0"},
	"thread-pool-min": {"0", "1", "-1"},
	"thread-pool-max": {"64", "1", "0", "-1"},
}

func pick[T any](g *generator, list []T) T { return list[g.IntN(len(list))] }

func (g *generator) one(of int) bool { return g.IntN(of) == 0 }

// command returns one message, which may be no JSON, and the name of the
// command that it is about.
func (g *generator) command() (name, text string) {
	for {
		if name, text = g.anyCommand(); !unfit.MatchString(text) {
			return name, text
		}
	}
}

func (g *generator) anyCommand() (name, text string) {
	name = pick(g, g.commands)
	c := g.schema[name]
	args := g.value("", c.Arg, 0)
	if g.one(3) {
		args = g.spoil(args)
	}
	switch g.IntN(40) {
	case 0:
		return name, fmt.Sprintf(`{"execute":%q,"arguments":%s,"nonesuch":1}`, name, args)
	case 1:
		return name, fmt.Sprintf(`{"arguments":%s}`, args)
	case 2:
		return name, fmt.Sprintf(`{"execute":%q,"arguments":%s}`, pick(g, words[""])+"-", args)
	case 3:
		return name, fmt.Sprintf(`{"execute":%s}`, g.any(1))
	case 4:
		return name, fmt.Sprintf(`{"exec-oob":%q,"arguments":%s}`, name, args)
	case 5:
		return name, fmt.Sprintf(`{"execute":%q,"arguments":%s}`, name, g.any(1))
	case 6:
		return name, g.any(1)
	case 7:
		return name, g.garble(fmt.Sprintf(`{"execute":%q,"arguments":%s}`, name, args))
	case 8:
		return name, fmt.Sprintf(`{"execute":%q}`, name)
	}
	if g.one(4) {
		return name, fmt.Sprintf(`{"execute":%q,"arguments":%s,"id":%s}`, name, args, g.any(1))
	}
	return name, fmt.Sprintf(`{"execute":%q,"arguments":%s}`, name, args)
}

// unfit are commands after which there is nobody to talk to, because they let
// the machine end, take the monitor's own channel or wait for somebody, and
// those that leave something on the host.
var unfit = regexp.MustCompile(`"reboot":"shutdown"|"shutdown":"poweroff"|"pr-manager"|"logfile"|` +
	`"type":"(stdio|socket|udp|pipe|file|serial|parallel)"|` +
	`"type":"(memory|ringbuf)","data":{"size":0}`) // 7.2 does not survive a write to a ring without room

// garble changes one byte of a message into another that is no control
// character.
func (g *generator) garble(text string) string {
	b := []byte(text)
	b[g.IntN(len(b))] = byte(' ' + g.IntN(95))
	return string(b)
}

// value returns a value of the type called typ for the member called name.
func (g *generator) value(name, typ string, depth int) string {
	e := g.schema[typ]
	switch e.MetaType {
	case "builtin":
		return g.builtin(name, typ, depth)
	case "enum":
		return quote(pick(g, e.Values))
	case "array":
		var items []string
		for range g.IntN(3) {
			items = append(items, g.value(name, e.Element, depth+1))
		}
		return "[" + strings.Join(items, ",") + "]"
	case "alternate":
		return g.value(name, pick(g, e.Members).Type, depth+1)
	}
	return "{" + strings.Join(g.members(e, depth), ",") + "}"
}

// members returns the members of an object, each with its name.
func (g *generator) members(e entity, depth int) []string {
	var list []string
	variant := ""
	for _, m := range e.Members {
		if m.Default != nil && (depth > 4 || !g.one(4)) {
			continue
		}
		v := g.value(m.Name, m.Type, depth+1)
		if m.Name == e.Tag {
			chosen := pick(g, e.Variants)
			v, variant = quote(chosen.Case), chosen.Type
		}
		list = append(list, quote(m.Name)+":"+v)
	}
	if variant != "" {
		list = append(list, g.members(g.schema[variant], depth+1)...)
	}
	return list
}

func (g *generator) builtin(name, typ string, depth int) string {
	switch typ {
	case "str":
		list := words[name]
		if list == nil {
			list = words[""]
		}
		return quote(pick(g, list))
	case "int":
		list := numbers[name]
		if list == nil {
			list = numbers[""]
		}
		return pick(g, list)
	case "bool":
		return pick(g, []string{"true", "false"})
	case "number":
		return pick(g, []string{"0", "1.5", "-1e10"})
	case "null":
		return "null"
	}
	return g.any(depth)
}

// any returns some JSON value.
func (g *generator) any(depth int) string {
	switch g.IntN(8) {
	case 0:
		return "null"
	case 1:
		return pick(g, []string{"true", "false"})
	case 2:
		return pick(g, numbers[""][:5])
	case 3:
		if depth < 4 {
			return "[" + g.any(depth+1) + "," + g.any(depth+1) + "]"
		}
	case 4:
		if depth < 4 {
			return `{"a":` + g.any(depth+1) + "}"
		}
	}
	return quote(pick(g, words[""]))
}

// spoil makes an object wrong in one way.
func (g *generator) spoil(object string) string {
	d := json.NewDecoder(strings.NewReader(object))
	var names []string
	values := map[string]json.RawMessage{}
	if _, err := d.Token(); err != nil {
		return object
	}
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		var v json.RawMessage
		if err != nil || !ok || d.Decode(&v) != nil {
			return object
		}
		names, values[name] = append(names, name), v
	}
	switch n := len(names); {
	case n == 0 || g.one(4):
		names, values["nonesuch"] = append(names, "nonesuch"), json.RawMessage(g.any(1))
	case g.one(3):
		i := g.IntN(n)
		names = append(names[:i], names[i+1:]...)
	case g.one(2) && values[names[0]][0] == '{':
		values[names[0]] = json.RawMessage(g.spoil(string(values[names[0]])))
	default:
		values[pick(g, names)] = json.RawMessage(g.any(1))
	}
	var list []string
	for _, name := range names {
		list = append(list, quote(name)+":"+string(values[name]))
	}
	return "{" + strings.Join(list, ",") + "}"
}

func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always can be
	}
	return string(b)
}

// prune leaves of the type called name in ours what the type called other in
// theirs has as well: versions differ.
func prune(ours, theirs map[string]entity, name, other string, seen map[string]bool) {
	e, o := ours[name], theirs[other]
	if seen[name+" "+other] || e.MetaType != o.MetaType {
		return
	}
	seen[name+" "+other] = true
	types := map[string]string{}
	for _, m := range o.Members {
		types[m.Name] = m.Type
	}
	cases := map[string]string{}
	for _, v := range o.Variants {
		cases[v.Case] = v.Type
	}
	switch e.MetaType {
	case "array":
		prune(ours, theirs, e.Element, o.Element, seen)
	case "enum":
		e.Values = slices.DeleteFunc(e.Values, func(v string) bool { return !slices.Contains(o.Values, v) })
	case "alternate":
		for i := range min(len(e.Members), len(o.Members)) {
			prune(ours, theirs, e.Members[i].Type, o.Members[i].Type, seen)
		}
	case "object":
		kept := e.Members[:0]
		for _, m := range e.Members {
			if typ, ok := types[m.Name]; ok {
				kept = append(kept, m)
				prune(ours, theirs, m.Type, typ, seen)
			}
		}
		e.Members = kept
		variants := e.Variants[:0]
		for _, v := range e.Variants {
			if typ, ok := cases[v.Case]; ok {
				variants = append(variants, v)
				prune(ours, theirs, v.Type, typ, seen)
			}
		}
		e.Variants = variants
	}
	ours[name] = e
}
