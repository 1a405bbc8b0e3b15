package qom

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// node is an object with a number and a link.
type node struct {
	Object
	n    int64
	peer *Object
}

// nodeClass is the properties of a node.
type nodeClass struct{}

var (
	propN = &Property{Name: "n", Type: "int",
		Get: func(o *Object) (any, error) { return o.Self().(*node).n, nil },
		Set: func(o *Object, in Input) (err error) { o.Self().(*node).n, err = in.Int("n", 64); return err }}
	propPeer = &Property{Name: "peer", Type: "link<node>", Link: func(o *Object) *Object { return o.Self().(*node).peer }}
	propWO   = &Property{Name: "secret", Type: "str", Set: func(*Object, Input) error { return nil }}
)

func (nodeClass) Properties() []*Property { return []*Property{propN, propPeer, propWO} }
func (c nodeClass) Property(name string) *Property {
	for _, p := range c.Properties() {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// forest is a tree and a log of what was finalised.
type forest struct {
	*Tree
	log []string
}

func newForest(t *testing.T) *forest {
	types := NewTypes()
	if err := types.Add(Type{Name: "node", Parent: "object"}, Type{Name: "leaf", Parent: "node"}); err != nil {
		t.Fatal(err)
	}
	return &forest{Tree: NewTree(types)}
}

// put makes a node at parent's path, held by the tree alone.
func (f *forest) put(t *testing.T, parent, name string) *node {
	t.Helper()
	o, _ := f.Resolve(parent)
	n := new(node)
	n.Init("node", n, nodeClass{}, func() { f.log = append(f.log, name) })
	if err := o.AddChild(name, &n.Object); err != nil {
		t.Fatal(err)
	}
	n.Unref()
	return n
}

func TestPaths(t *testing.T) {
	f := newForest(t)
	f.Container("/machine/peripheral")
	rp0 := f.put(t, "/machine/peripheral", "rp0")
	f.put(t, "/machine/peripheral/rp0", "rp0")
	a := f.put(t, "/machine/peripheral", "a")
	a.peer = &rp0.Object
	for _, c := range []struct {
		path, want string
		ambiguous  bool
	}{
		{"/", "/", false},
		{"/machine/", "/machine", false},
		{"//machine//peripheral", "/machine/peripheral", false},
		{"/machine/peripheral/a/peer", "/machine/peripheral/rp0", false},
		{"/machine/peripheral/a/peer/rp0", "/machine/peripheral/rp0/rp0", false},
		{"/machine/peripheral/a/n", "", false},
		{"/machine/peripheral/rp0/rp0/peer", "", false},
		{"/nonesuch", "", false},
		{"a", "/machine/peripheral/a", false},
		{"peripheral/a", "/machine/peripheral/a", false},
		{"rp0", "", true},
		{"", "", true},
		{"nonesuch", "", false},
	} {
		o, ambiguous := f.Resolve(c.path)
		got := ""
		if o != nil {
			got = o.Path()
		}
		if got != c.want || ambiguous != c.ambiguous {
			t.Errorf("%q is %q (ambiguous %v), want %q (%v)", c.path, got, ambiguous, c.want, c.ambiguous)
		}
	}
	per := f.Container("/machine/peripheral")
	if o := f.ResolveFrom(per, "a/peer"); o != &rp0.Object {
		t.Error("relative path through a link")
	}
	if o := f.ResolveFrom(per, "/machine"); o == nil || o.Name() != "machine" {
		t.Error("absolute path from inside")
	}
}

func TestCommands(t *testing.T) {
	f := newForest(t)
	n := f.put(t, "/", "x")
	m := f.put(t, "/x", "y")
	n.peer = &m.Object
	list, err := f.List("x")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range list {
		got = append(got, p.Name+" "+p.Type)
	}
	if want := []string{"type string", "n int", "peer link<node>", "secret str", "y child<node>"}; !slices.Equal(got, want) {
		t.Errorf("qom-list %q, want %q", got, want)
	}
	for property, want := range map[string]any{"type": "node", "n": int64(0), "peer": "/x/y", "y": "/x/y"} {
		if v, err := f.Get("/x", property); err != nil || v != want {
			t.Errorf("%s is %v (%v), want %v", property, v, err, want)
		}
	}
	if v, err := f.Get("y", "peer"); err != nil || v != "" {
		t.Errorf("an empty link reads %v (%v)", v, err)
	}
	if err := f.Set("/x", "n", int64(5)); err != nil || n.n != 5 {
		t.Errorf("qom-set: %v, n is %d", err, n.n)
	}
	_, errList := f.List("/nonesuch")
	_, errAmbiguous := f.List("")
	_, errGet := f.Get("", "n")
	_, errProp := f.Get("/x", "nonesuch")
	_, errRead := f.Get("/x", "secret")
	for want, err := range map[string]error{
		"DeviceNotFound Device '/nonesuch' not found":                                errList,
		"GenericError Path '' is ambiguous":                                          errAmbiguous,
		"DeviceNotFound Device '' not found":                                         errGet,
		"GenericError Property 'node.nonesuch' not found":                            errProp,
		"GenericError Property 'node.secret' is not readable":                        errRead,
		"GenericError Property 'node.type' is not writable":                          f.Set("/x", "type", "z"),
		"GenericError Property 'node.none' not found":                                f.Set("/x", "none", "z"),
		"DeviceNotFound Device 'zz' not found":                                       f.Set("zz", "none", "z"),
		"GenericError Invalid parameter type for 'n', expected: integer":             f.Set("/x", "n", "7"),
		"GenericError attempt to add duplicate property 'y' to object (type 'node')": n.AddProperty(&Property{Name: "y"}),
	} {
		var e *qerr.Error
		if !errors.As(err, &e) || string(e.Class)+" "+e.Desc != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestFinalisation(t *testing.T) {
	f := newForest(t)
	a := f.put(t, "/", "a")
	b := f.put(t, "/a", "b")
	f.put(t, "/a/b", "c")
	f.put(t, "/a", "d")
	a.Ref()
	a.Unparent()
	if len(f.log) != 0 || a.Parent() != nil || a.Path() != "/" {
		t.Errorf("finalised %v while held", f.log)
	}
	a.Unparent() // again does nothing
	b.Ref()
	a.Unref()
	if got := strings.Join(f.log, " "); got != "d a" {
		t.Errorf("finalised %q, want the child that nobody holds, then the parent", got)
	}
	b.Unref()
	if got := strings.Join(f.log, " "); got != "d a c b" {
		t.Errorf("finalised %q", got)
	}
	for name, misuse := range map[string]func(){"ref": b.Ref, "unref": b.Unref} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s of a finalised object did not panic", name)
				}
			}()
			misuse()
		}()
	}
}

func TestNumberedNames(t *testing.T) {
	f := newForest(t)
	f.put(t, "/", "mem[*]")
	two := f.put(t, "/", "mem[*]")
	f.put(t, "/", "mem[*]")
	two.Unparent()
	if n := f.put(t, "/", "mem[*]"); n.Name() != "mem[1]" {
		t.Errorf("name %q, want the free one", n.Name())
	}
}

func TestTypes(t *testing.T) {
	ty := newForest(t).Types
	if !ty.Is("leaf", "node") || !ty.Is("leaf", "leaf") || ty.Is("node", "leaf") || ty.Is("nonesuch", "object") || ty.Is("leaf", "") {
		t.Error("ancestry")
	}
	var names []string
	for _, x := range ty.List("object", true) {
		names = append(names, x.Name)
	}
	if want := []string{"container", "leaf", "node", "object"}; !slices.Equal(names, want) {
		t.Errorf("types %q, want %q", names, want)
	}
	if n := len(ty.List("node", false)); n != 2 {
		t.Errorf("%d nodes, want 2", n)
	}
	for _, bad := range []Type{{Name: "node", Parent: "object"}, {Name: "x", Parent: "none"}} {
		if ty.Add(bad) == nil {
			t.Errorf("type %+v was taken", bad)
		}
	}
}

func TestSizes(t *testing.T) {
	for s, want := range map[string]uint64{
		"0": 0, "1": 1, "1b": 1, "1K": 1 << 10, "1.5k": 1536, "2m": 2 << 20, "1g": 1 << 30, "1T": 1 << 40, "1P": 1 << 50, "15e": 15 << 60,
		"18446744073709551615": math.MaxUint64, "0xff": 255, "1.": 1, "0.5K": 512, ".5k": 512, "8.": 8, " 1": 1,
	} {
		if v, err := KeyVal(s).Size("p"); err != nil || v != want {
			t.Errorf("%q is %d (%v), want %d", s, v, err, want)
		}
	}
	for _, s := range []string{"", "k", "-1", "1.5", "16E", "1kk", "1e9", "0x", "0x1k", "1/2", "1_0", strings.Repeat("9", 100)} {
		if v, err := KeyVal(s).Size("p"); err == nil {
			t.Errorf("%q was taken as %d", s, v)
		}
	}
}

// FuzzInput reads text as every type; no text may panic, and what is read as a
// number must be what a C programmer would see.
func FuzzInput(f *testing.F) {
	for _, s := range []string{"", "0x10", "1k", "-1", "+7", "on", "0b1", "1_000", "9e99", "1.5E", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		in := KeyVal(s)
		if v, err := in.Uint("p", 8); err == nil && v > 255 {
			t.Errorf("%q as uint8 is %d", s, v)
		}
		if v, err := in.Int("p", 32); err == nil && (v > math.MaxInt32 || v < math.MinInt32) {
			t.Errorf("%q as int32 is %d", s, v)
		}
		u, errU := in.Uint("p", 64)
		i, errI := in.Int("p", 64)
		if errU == nil && errI == nil && uint64(i) != u {
			t.Errorf("%q is %d and %d", s, i, u)
		}
		_, _ = in.Size("p")
		_, _ = in.Bool("p")
		_, _ = in.Enum("p", []string{"a"})
	})
}
