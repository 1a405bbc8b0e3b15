package block_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/block/throttle"
)

// reopen changes nodes and returns the error's text.
func (f *fixture) reopen(list ...block.Options) (fail string) {
	f.do(func(co *coro.Co) {
		if err := f.g.Reopen(co, list); err != nil {
			fail = err.Error()
		}
	})
	return fail
}

// The words are QEMU 7.2.22's.
func TestReopen(t *testing.T) {
	f := newFixture(t)
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	g, err := f.g.Groups().New("g")
	if err != nil {
		t.Fatal(err)
	}
	f.add(block.Options{Driver: "file", NodeName: "f", Filename: image})
	r := f.add(block.Options{Driver: "raw", NodeName: "r", FileRef: "f"})
	f.add(block.Options{Driver: "null-co", NodeName: "n", Size: 1 << 21})
	top := f.add(block.Options{Driver: "throttle", NodeName: "t", FileRef: "r", ThrottleGroup: "g"})
	if _, err := f.g.Groups().New("h"); err != nil {
		t.Fatal(err)
	}
	file := block.Options{Driver: "file", NodeName: "f", Filename: image}
	raw := block.Options{Driver: "raw", NodeName: "r", FileRef: "f"}
	filter := block.Options{Driver: "throttle", NodeName: "t", FileRef: "r", ThrottleGroup: "h"}
	with := func(o block.Options, change func(o *block.Options)) block.Options { change(&o); return o }
	for _, x := range []struct {
		o    block.Options
		want string
	}{
		{with(raw, func(o *block.Options) { o.NodeName = "" }), "node-name not specified"},
		{with(raw, func(o *block.Options) { o.NodeName = "x" }), "Failed to find node with node-name='x'"},
		{with(raw, func(o *block.Options) { o.Driver = "throttle" }), "Cannot change the option 'driver'"},
		{with(raw, func(o *block.Options) { o.NodeName = "t" }), "Option 'throttle-group' cannot be reset to its default value"},
		{with(filter, func(o *block.Options) { o.FileRef = "x" }), "Cannot find device='' nor node-name='x'"},
		{with(filter, func(o *block.Options) { o.FileRef = "t" }), "Making 't' a file child of 't' would create a cycle"},
		{with(filter, func(o *block.Options) { o.FileRef, o.File = "", &file }), "Cannot change the option 'file.driver'"},
		{with(filter, func(o *block.Options) { o.ThrottleGroup = "x" }), "Throttle group 'x' does not exist"},
		{with(file, func(o *block.Options) { o.Filename = "/x" }), "Cannot change the option 'filename'"},
		{with(file, func(o *block.Options) { o.Locking = "off" }), "Cannot change the option 'locking'"},
		{block.Options{Driver: "null-co", NodeName: "n"}, "Option 'size' cannot be reset to its default value"},
		{block.Options{Driver: "null-co", NodeName: "n", Size: 512}, "Cannot change the option 'size'"},
		{with(raw, func(o *block.Options) { o.Size = 5 }), "Specified size is not multiple of 512"},
		{with(raw, func(o *block.Options) { o.Offset = 512 }), ""},
		{filter, ""},
	} {
		if got := f.reopen(x.o); got != x.want {
			t.Errorf("%+v: %q, want %q", x.o, got, x.want)
		}
	}
	if r.Length() != 1<<20-512 || top.Length() != r.Length() || g.Members() != 0 {
		t.Errorf("%d and %d bytes, %d members in the old group", r.Length(), top.Length(), g.Members())
	}
	f.reopenUnderUse(top, filter, with(filter, func(o *block.Options) { o.FileRef = "n" }))
}

// reopenUnderUse puts the node on another child and back while a request waits
// for its group, and wants all or nothing of two changes.
func (f *fixture) reopenUnderUse(top *block.Node, here, there block.Options) {
	f.Helper()
	b, err := f.attach(f.g, top, "/d")
	if err != nil {
		f.Fatal(err)
	}
	defer b.Close()
	f.g.Groups().Lookup("h").SetLimits(slowly())
	ended := f.reads(b, 3)
	if fail := f.reopen(there); fail != "" || top.Length() != 1<<21 || top.File().Name() != "n" {
		f.Errorf("%q: %d bytes on %s", fail, top.Length(), top.File().Name())
	}
	if got := ended(); got != 3 {
		f.Errorf("%d of 3 requests ended when the node was drained", got)
	}
	f.g.Groups().Lookup("h").SetLimits(throttle.Unlimited())
	readOnly := here
	readOnly.ReadOnly = true
	const refused = "Read-only block node 't' cannot support read-write users"
	if fail := f.reopen(here, readOnly); fail != refused || top.File().Name() != "n" || top.ReadOnly() {
		f.Errorf("%q; on %s, read-only %v", fail, top.File().Name(), top.ReadOnly())
	}
	if fail := f.reopen(block.Options{Driver: "null-co", NodeName: "n", Size: 1 << 21, ReadOnly: true}); fail != "Read-only block node 'n' cannot support read-write users" {
		f.Errorf("%q", fail)
	}
}

func TestReopenReadOnly(t *testing.T) {
	f := newFixture(t)
	n := f.add(block.Options{Driver: "null-co", NodeName: "n"})
	write := func() (err error) {
		f.do(func(co *coro.Co) { err = n.WriteAt(co, make([]byte, 512), 0) })
		return err
	}
	for _, readOnly := range []bool{true, false, true} {
		if fail := f.reopen(block.Options{Driver: "null-co", NodeName: "n", ReadOnly: readOnly}); fail != "" {
			t.Fatal(fail)
		}
		if err := write(); (err != nil) != readOnly {
			t.Errorf("read-only %v: a write says %v", readOnly, err)
		}
	}
	image := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(image, make([]byte, 512), 0o600); err != nil {
		t.Fatal(err)
	}
	f.add(block.Options{Driver: "file", NodeName: "f", Filename: image, ReadOnly: true})
	if fail := f.reopen(block.Options{Driver: "file", NodeName: "f", Filename: image}); fail != "Cannot change the option 'read-only'" {
		t.Errorf("%q", fail)
	}
}
