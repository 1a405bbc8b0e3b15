package backend_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/internal/backend"
	"github.com/backplane-vm/backplane/internal/bql"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/internal/sched"
)

// atOnce reclaims without a grace period: nobody reads here.
type atOnce struct{}

func (atOnce) Call(f func()) { f() }

// memories makes memory backends for one test.
type memories struct {
	*testing.T
	w   *sched.World
	m   *mem.Map
	dir string
}

func newMemories(t *testing.T) *memories {
	w := sched.NewWorld()
	lock := bql.New(w)
	thread := w.Adopt("test")
	lock.Lock(thread, "test")
	t.Cleanup(func() { lock.Unlock(thread) })
	return &memories{t, w, mem.NewMap(mem.Config{BQL: lock, RCU: atOnce{}}), t.TempDir()}
}

// file makes memory that is a file of the test's folder.
func (x *memories) file(o backend.MemoryOptions, f backend.MemoryFile) (*backend.Memory, error) {
	f.Path = filepath.Join(x.dir, f.Path)
	return backend.NewFileMemory(x.w, x.m, "m", o, f)
}

func (x *memories) must(b *backend.Memory, err error) *backend.Memory {
	x.Helper()
	if err != nil {
		x.Fatal(err)
	}
	return b
}

func (x *memories) put(name, text string) {
	if err := os.WriteFile(filepath.Join(x.dir, name), []byte(text), 0o600); err != nil {
		x.Fatal(err)
	}
}

func (x *memories) get(name string) string {
	text, err := os.ReadFile(filepath.Join(x.dir, name))
	if err != nil {
		x.Fatal(err)
	}
	return string(text)
}

const someSize = 1 << 20

func sized(change func(*backend.MemoryOptions)) backend.MemoryOptions {
	o := backend.DefaultMemory(someSize)
	change(&o)
	return o
}

// What is written to shared memory is in its file; what is written to private
// memory is not, and what the file has can be read in both.
func TestFileMemoryShares(t *testing.T) {
	x := newMemories(t)
	for _, share := range []bool{true, false} {
		x.put("f", strings.Repeat("before..", someSize/4))
		b := x.must(x.file(sized(func(o *backend.MemoryOptions) { o.Share = share }), backend.MemoryFile{Path: "f", Offset: 8192}))
		bytes := b.Region().Bytes()
		if len(bytes) != someSize || string(bytes[:8]) != "before.." {
			t.Fatalf("%d bytes: %q", len(bytes), bytes[:8])
		}
		copy(bytes, "after")
		b.Unref()
		if got, want := strings.Contains(x.get("f"), "after"), share; got != want {
			t.Errorf("share=%t: the file has it: %t", share, got)
		}
	}
}

// A file that is not there is made, and gone again if the memory cannot be.
func TestFileMemoryMakesFile(t *testing.T) {
	x := newMemories(t)
	x.must(x.file(sized(func(o *backend.MemoryOptions) { o.Size = 8192 }), backend.MemoryFile{Path: "new", Offset: 4096})).Unref()
	if got := len(x.get("new")); got != 12288 {
		t.Errorf("a new file has %d bytes", got)
	}
	if _, err := x.file(sized(func(o *backend.MemoryOptions) {}), backend.MemoryFile{Path: "never", Offset: 5}); err == nil {
		t.Error("an offset within a page was taken")
	}
	x.must(x.file(sized(func(*backend.MemoryOptions) {}), backend.MemoryFile{Path: "."})).Unref()
	if list, err := os.ReadDir(x.dir); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestFileMemoryRefuses(t *testing.T) {
	x := newMemories(t)
	x.put("small", "abc")
	x.put("ro", strings.Repeat("x", someSize))
	on, off := true, false
	plain := func(*backend.MemoryOptions) {}
	for _, c := range []struct {
		change func(*backend.MemoryOptions)
		f      backend.MemoryFile
		want   string
	}{
		{func(o *backend.MemoryOptions) { o.Size = 0 }, backend.MemoryFile{Path: "f"}, "property 'size' of memory-backend-file doesn't take value '0'"},
		{func(o *backend.MemoryOptions) { o.PreallocThreads = 0 }, backend.MemoryFile{Path: "f"}, "property 'prealloc-threads' of memory-backend-file doesn't take value '0'"},
		{func(o *backend.MemoryOptions) { o.Prealloc, o.Reserve = true, false }, backend.MemoryFile{Path: "f"}, "'prealloc=on' and 'reserve=off' are incompatible"},
		{func(o *backend.MemoryOptions) { o.Policy = "bind" }, backend.MemoryFile{Path: "f"}, "host-nodes must be set for policy bind"},
		{func(o *backend.MemoryOptions) { o.HostNodes = []uint16{0} }, backend.MemoryFile{Path: "f"}, "host-nodes must be empty for policy default, or you should explicitly specify a policy other than default"},
		{func(o *backend.MemoryOptions) { o.Policy, o.HostNodes = "bind", []uint16{0, 128} }, backend.MemoryFile{Path: "f"}, "Invalid host-nodes value: 128"},
		{plain, backend.MemoryFile{Path: "small"}, "m backing store size 0x3 is too small for 'size' option 0x100000 plus 'offset' option 0x0"},
		{func(o *backend.MemoryOptions) { o.Size++ }, backend.MemoryFile{Path: "f"}, "backend 'memory-backend-file' memory size must be multiple of 4 KiB"},
		{plain, backend.MemoryFile{Path: "f", Align: 3000}, "alignment 0xbb8 must be multiples of page size 0x1000"},
		{plain, backend.MemoryFile{Path: "f", Align: 3 * 4096}, "alignment 0x3000 must be a power of two"},
		{plain, backend.MemoryFile{Path: "f", Align: 8192}, "Parameter 'align' is not supported by this build beyond the page size 0x1000"},
		{plain, backend.MemoryFile{Path: "f", Offset: 100}, "offset 0x64 must be multiples of page size 0x1000"},
		{plain, backend.MemoryFile{Path: "nonesuch", ReadOnly: true}, "can't open backing store DIR/nonesuch for guest RAM: No such file or directory"},
		{plain, backend.MemoryFile{Path: "", ReadOnly: true}, "can't open backing store DIR for guest RAM: Is a directory"},
		{plain, backend.MemoryFile{Path: "no/such"}, "can't open backing store DIR/no/such for guest RAM: No such file or directory"},
		{plain, backend.MemoryFile{Path: "f", ROM: &on}, "property 'rom' = 'on' is not supported with 'readonly' = 'off'"},
		{func(o *backend.MemoryOptions) { o.Share = true }, backend.MemoryFile{Path: "ro", ReadOnly: true, ROM: &off},
			"property 'rom' = 'off' is incompatible with 'readonly' = 'on' and 'share' = 'on'"},
	} {
		_, err := x.file(sized(c.change), c.f)
		if want := strings.ReplaceAll(c.want, "DIR", x.dir); err == nil || err.Error() != want {
			t.Errorf("%+v:\n%v, want\n%s", c.f, err, want)
		}
	}
	if _, err := backend.NewFileMemory(x.w, x.m, "m", backend.DefaultMemory(someSize), backend.MemoryFile{Path: "/dev/null"}); err == nil ||
		err.Error() != "unable to map backing store for guest RAM: No such device" {
		t.Error(err)
	}
}

// Memory of a file that is not written is not the guest's to write either,
// unless it has a copy of its own.
func TestFileMemoryReadOnly(t *testing.T) {
	x := newMemories(t)
	x.put("ro", strings.Repeat("r", someSize))
	if err := os.Chmod(filepath.Join(x.dir, "ro"), 0o400); err != nil {
		t.Fatal(err)
	}
	rom := x.must(x.file(sized(func(o *backend.MemoryOptions) { o.Share, o.Prealloc = true, true }), backend.MemoryFile{Path: "ro", ReadOnly: true}))
	if k := rom.Region().Kind(); k != mem.ROM || rom.Region().Bytes()[someSize-1] != 'r' {
		t.Errorf("kind %d", k)
	}
	if err := rom.Use(); err == nil || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("as main memory: %v", err)
	}
	rom.Unref()
	off := false
	own := x.must(x.file(sized(func(*backend.MemoryOptions) {}), backend.MemoryFile{Path: "ro", ReadOnly: true, ROM: &off}))
	own.Region().Bytes()[0] = 'w'
	if k := own.Region().Kind(); k != mem.RAM || x.get("ro")[0] != 'r' {
		t.Errorf("kind %d", k)
	}
	own.Unref()
}

func TestFileMemoryDiscards(t *testing.T) {
	x := newMemories(t)
	for _, discard := range []bool{true, false} {
		x.put("f", strings.Repeat("d", someSize))
		b := x.must(x.file(sized(func(o *backend.MemoryOptions) { o.Share = true }), backend.MemoryFile{Path: "f", DiscardData: discard}))
		b.Unref()
		if got := x.get("f")[0] == 'd'; got == discard {
			t.Errorf("discard-data=%t: still there: %t", discard, got)
		}
	}
}

func TestMemFD(t *testing.T) {
	x := newMemories(t)
	b := x.must(backend.NewMemFD(x.w, x.m, "m", sized(func(o *backend.MemoryOptions) { o.Share = true }), backend.MemFD{Seal: true}))
	if bytes := b.Region().Bytes(); len(bytes) != someSize || bytes[0] != 0 {
		t.Errorf("%d bytes", len(bytes))
	}
	b.Unref()
	for _, c := range []struct {
		size uint64
		f    backend.MemFD
		want string
	}{
		{someSize + 1, backend.MemFD{}, "m backing store size 0x100001 is too small for 'size' option 0x101000 plus 'offset' option 0x0"},
		{someSize, backend.MemFD{HugeTLB: true, HugeTLBSize: 3000}, "Hugepage size must be a power of 2"},
	} {
		if _, err := backend.NewMemFD(x.w, x.m, "m", sized(func(o *backend.MemoryOptions) { o.Size = c.size }), c.f); err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// Several threads take memory from the host; what they took can be told to be
// kept out of dumps, and from which nodes it is.
func TestMemoryTaken(t *testing.T) {
	x := newMemories(t)
	b := x.must(backend.NewMemory(x.w, x.m, "m", sized(func(o *backend.MemoryOptions) {
		o.Prealloc, o.PreallocThreads, o.Dump, o.Share = true, 5, false, true
	})))
	defer b.Unref()
	b.Region().Bytes()[someSize-1] = 1
	if _, err := backend.NewMemory(x.w, x.m, "m", sized(func(o *backend.MemoryOptions) { o.Size = 1 << 62 })); err == nil ||
		err.Error() != "cannot set up guest memory 'm': Cannot allocate memory" {
		t.Error(err)
	}
}

// No host has that many nodes.
func TestMemoryBound(t *testing.T) {
	x := newMemories(t)
	_, err := backend.NewMemory(x.w, x.m, "m", sized(func(o *backend.MemoryOptions) { o.Policy, o.HostNodes = "bind", []uint16{127} }))
	if err == nil || !strings.HasPrefix(err.Error(), "cannot bind memory to host NUMA nodes: ") {
		t.Error(err)
	}
}

// Properties say what the memory is like; some can be set.
func TestMemoryProperties(t *testing.T) {
	x := newMemories(t)
	b := x.must(x.file(sized(func(*backend.MemoryOptions) {}), backend.MemoryFile{Path: "f"}))
	defer b.Unref()
	for _, c := range []struct {
		name string
		set  any
		fail string
		get  any
	}{
		{"share", true, "cannot change property value", false},
		{"share", int64(5), "Invalid parameter type for 'share', expected: boolean", false},
		{"size", int64(5), "cannot change property size of memory-backend-file ", int64(someSize)},
		{"dump", false, "", false},
		{"dump", true, "", true},
		{"merge", false, "", false},
		{"prealloc", true, "", true},
		{"prealloc", false, "", true},
		{"prealloc-threads", int64(2), "", int64(2)},
		{"prealloc-threads", int64(0), "property 'prealloc-threads' of memory-backend-file doesn't take value '0'", int64(2)},
		{"prealloc-context", "x", "Device 'x' not found", ""},
		{"policy", "bind", "cannot change property value", "default"},
		{"reserve", false, "cannot change property value", true},
		{"mem-path", "x", "cannot change property 'mem-path' of memory-backend-file", filepath.Join(x.dir, "f")},
		{"readonly", true, "cannot change property 'readonly' of memory-backend-file.", false},
		{"rom", "on", "cannot change property 'rom' of memory-backend-file.", "off"},
		{"align", int64(4096), "cannot change property 'align' of memory-backend-file", int64(0)},
		{"discard-data", true, "", true},
	} {
		err := b.Set(c.name, qom.JSON(c.set))
		if (err == nil) != (c.fail == "") || err != nil && err.Error() != c.fail {
			t.Errorf("%s=%v: %v, want %q", c.name, c.set, err, c.fail)
		}
		if got, err := b.Get(c.name); err != nil || got != c.get {
			t.Errorf("%s after %v: %v (%T), %v", c.name, c.set, got, got, err)
		}
	}
}
