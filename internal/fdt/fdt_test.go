package fdt

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// sample has a bit of everything.
func sample() *Tree {
	t := New()
	t.BootCPU = 3
	t.Reservations = []Reservation{{0x80000000, 0x40000}, {1 << 40, 1}}
	t.Root.Cells("#address-cells", 2)
	t.Root.Strings("compatible", "riscv-virtio")
	soc := t.Root.Add("soc")
	soc.Bytes("ranges")
	soc.Strings("compatible", "simple-bus")
	uart := soc.Add("serial@10000000")
	uart.Pairs("reg", 0x10000000, 0x100)
	uart.Bytes("mac", 1, 2, 3, 4, 5, 6)
	uart.Strings("compatible", "sifive,test1", `a "quoted\ one"`)
	t.Root.Add("chosen").Strings("bootargs", "console=ttyS0")
	return t
}

func encode(t testing.TB, tree *Tree) []byte {
	t.Helper()
	b, err := tree.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBytes(t *testing.T) {
	tree := New()
	tree.BootCPU = 1
	tree.Reservations = []Reservation{{0x1122334455667788, 0x10}}
	tree.Root.Cells("a", 0x01020304)
	n := tree.Root.Add("nod")
	n.Strings("bc", "x", "yz")
	n.Add("e").Bytes("a")
	want := strings.Join([]string{
		"d00dfeed 000000a5 00000048 000000a0 00000028", // magic, total, structure, names, reservations
		"00000011 00000010 00000001 00000005 00000058", // versions, boot CPU, sizes
		"1122334455667788 0000000000000010 0000000000000000 0000000000000000",
		"00000001 00000000",
		"00000003 00000004 00000000 01020304",
		"00000001 6e6f6400",
		"00000003 00000005 00000002 7800797a 00000000",
		"00000001 65000000",
		"00000003 00000000 00000000",
		"00000002 00000002 00000002 00000009",
		"6100 626300",
	}, "")
	if got := hex.EncodeToString(encode(t, tree)); got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("got  %s\nwant %s", got, strings.ReplaceAll(want, " ", ""))
	}
}

func TestBytesRefuses(t *testing.T) {
	deep := func(levels int) *Tree {
		tree := New()
		for n := tree.Root; levels > 1; levels-- {
			n = n.Add("n")
		}
		return tree
	}
	with := func(f func(t *Tree)) *Tree {
		tree := New()
		f(tree)
		return tree
	}
	for _, c := range []struct {
		name string
		tree *Tree
		ok   bool
	}{
		{"nothing", New(), true},
		{"deepest", deep(maxDepth), true},
		{"too deep", deep(maxDepth + 1), false},
		{"no root", &Tree{}, false},
		{"named root", with(func(t *Tree) { t.Root.Name = "x" }), false},
		{"nameless node", with(func(t *Tree) { t.Root.Add("") }), false},
		{"slash", with(func(t *Tree) { t.Root.Add("a/b") }), false},
		{"NUL", with(func(t *Tree) { t.Root.Bytes("a\x00b") }), false},
		{"two nodes", with(func(t *Tree) { t.Root.Add("a"); t.Root.Add("a") }), false},
		{"node and property", with(func(t *Tree) { t.Root.Add("a"); t.Root.Bytes("a") }), true},
		{"two properties", with(func(t *Tree) { t.Root.Bytes("a"); t.Root.Bytes("a") }), false},
		{"longest name", with(func(t *Tree) { t.Root.Add(strings.Repeat("n", maxName)) }), true},
		{"longer name", with(func(t *Tree) { t.Root.Add(strings.Repeat("n", maxName+1)) }), false},
		{"empty reservation", with(func(t *Tree) { t.Reservations = []Reservation{{1, 0}} }), false},
		{"last byte", with(func(t *Tree) { t.Reservations = []Reservation{{^uint64(0), 1}} }), true},
		{"wrapping reservation", with(func(t *Tree) { t.Reservations = []Reservation{{^uint64(0), 2}} }), false},
		{"too large", with(func(t *Tree) { t.Root.Bytes("a", make([]byte, MaxSize)...) }), false},
	} {
		b, err := c.tree.Bytes()
		if (err == nil) != c.ok || (b == nil) == c.ok {
			t.Errorf("%s: %d bytes, error %v", c.name, len(b), err)
		}
		if err != nil {
			continue
		}
		if got, err := Read(b); err != nil || !got.equal(c.tree) {
			t.Errorf("%s: read back %+v, %v", c.name, got, err)
		}
	}
}

func TestReadBack(t *testing.T) {
	tree := sample()
	blob := encode(t, tree)
	got, err := Read(append(blob, "what follows"...))
	if err != nil {
		t.Fatal(err)
	}
	if !got.equal(tree) {
		t.Errorf("got\n%s\nwant\n%s", got.Source(), tree.Source())
	}
	uart := got.Root.Find("/soc/serial@10000000")
	if uart == nil || uart != got.Root.Find("soc").Find("serial@10000000") || got.Root.Find("") != got.Root {
		t.Fatalf("Find: %v", uart)
	}
	if v, ok := uart.Get("mac"); !ok || !bytes.Equal(v, []byte{1, 2, 3, 4, 5, 6}) {
		t.Errorf("mac = %x, %v", v, ok)
	}
	if _, ok := uart.Get("none"); ok || got.Root.Find("soc/none/none") != nil {
		t.Error("found what is not there")
	}
}

// equal ignores the difference between no bytes and nil.
func (t *Tree) equal(u *Tree) bool {
	a, errA := t.Bytes()
	b, errB := u.Bytes()
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func TestReadRefuses(t *testing.T) {
	good := encode(t, sample())
	put := func(at int, v uint32) []byte {
		b := bytes.Clone(good)
		binary.BigEndian.PutUint32(b[at:], v)
		return b
	}
	at := func(field int) int { return int(binary.BigEndian.Uint32(good[4*field:])) }
	structure := at(2)
	for _, c := range []struct {
		name string
		blob []byte
	}{
		{"total beyond the end", put(4, uint32(len(good)+1))},
		{"total too small", put(4, headerSize-1)},
		{"total too large", put(4, 0xffffffff)},
		{"structure in the header", put(8, 36)},
		{"structure not aligned", put(8, uint32(structure+2))},
		{"structure outside", put(8, 0xfffffffc)},
		{"names outside", put(12, uint32(len(good)+1))},
		{"names too long", put(32, 0xffffffff)},
		{"reservations not aligned", put(16, headerSize+4)},
		{"reservations without end", put(16, uint32(len(good)&^7))},
		{"old", put(20, 16)},
		{"too new", put(24, 18)},
		{"structure too short", put(36, uint32(at(9)-4))},
		{"structure too long", put(36, 0xffffffff)},
		{"property outside", put(structure, tokenProp)},
		{"unknown token", put(structure, 7)},
		{"end at once", put(structure, tokenEnd)},
		{"end of nothing", put(structure, tokenEndNode)},
		{"named root", put(structure+4, 'x'<<24)},
		{"endless name", put(structure+4, 0xffffffff)},
		{"property too long", put(structure+12, 0xffffffff)},
		{"property name outside", put(structure+16, 0xffffffff)},
		{"property without name", put(structure+16, uint32(at(8)-1))},
	} {
		if tree, err := Read(c.blob); err == nil || tree != nil || errors.Is(err, ErrNotTree) {
			t.Errorf("%s: %v, %v", c.name, tree, err)
		}
	}
	for _, b := range [][]byte{nil, good[:headerSize-1], put(0, 1)} {
		if _, err := Read(b); !errors.Is(err, ErrNotTree) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
	for n := range good {
		if _, err := Read(good[:n]); err == nil {
			t.Errorf("the first %d bytes are a tree", n)
		}
	}
}

func TestReadNop(t *testing.T) {
	tree := New()
	tree.Root.Cells("a", 1)
	blob := encode(t, tree)
	structure := int(binary.BigEndian.Uint32(blob[8:]))
	copy(blob[structure+8:], bytes.Repeat([]byte{0, 0, 0, tokenNop}, 4)) // over the property
	got, err := Read(blob)
	if err != nil || !reflect.DeepEqual(got, New()) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSource(t *testing.T) {
	const want = `/dts-v1/;

/memreserve/ 0x80000000 0x40000;
/memreserve/ 0x10000000000 0x1;
/ {
	#address-cells = <0x2>;
	compatible = "riscv-virtio";

	soc {
		ranges;
		compatible = "simple-bus";

		serial@10000000 {
			reg = <0x0 0x10000000 0x0 0x100>;
			mac = [01 02 03 04 05 06];
			compatible = "sifive,test1", "a \"quoted\\ one\"";
		};
	};

	chosen {
		bootargs = "console=ttyS0";
	};
};
`
	if got := sample().Source(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestCompiler holds the package against dtc, the reference implementation,
// where that is installed: it compiles what Source shows, and decompiles what
// Bytes writes, to the same tree.
func TestCompiler(t *testing.T) {
	tree := sample()
	tree.BootCPU = 0 // source does not say
	blob := encode(t, tree)
	if back, err := Read(blob); err != nil || back.Source() != tree.Source() {
		t.Errorf("read back: %v", err)
	}
	dtc, err := exec.LookPath("dtc")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("no dtc, which .ci/run installs: ", err)
	}
	if err != nil {
		return
	}
	run := func(in []byte, from, to string) []byte {
		file := filepath.Join(t.TempDir(), "in."+from)
		if err := os.WriteFile(file, in, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(dtc, "-q", "-b", "0", "-I", from, "-O", to, file).Output()
		if err != nil {
			t.Fatalf("dtc -I %s -O %s: %v\n%s", from, to, err, in)
		}
		return out
	}
	for name, b := range map[string][]byte{
		"of Source": run([]byte(tree.Source()), "dts", "dtb"),
		"of Bytes":  run(run(blob, "dtb", "dts"), "dts", "dtb"),
	} {
		if got, err := Read(b); err != nil || !got.equal(tree) {
			t.Errorf("dtc makes another tree %s: %v\n%s", name, err, got.Source())
		}
	}
}

func TestRoundTrip(t *testing.T) {
	name := rapid.StringMatching(`[a-zA-Z0-9,._+?#@-]{1,31}`)
	var grow func(t *rapid.T, n *Node, depth int)
	grow = func(t *rapid.T, n *Node, depth int) {
		for _, p := range rapid.SliceOfNDistinct(name, 0, 4, rapid.ID).Draw(t, "properties") {
			n.Bytes(p, rapid.SliceOfN(rapid.Byte(), 0, 9).Draw(t, "value")...)
		}
		if depth == 0 {
			return
		}
		for _, c := range rapid.SliceOfNDistinct(name, 0, 3, rapid.ID).Draw(t, "children") {
			grow(t, n.Add(c), depth-1)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		tree := New()
		tree.BootCPU = rapid.Uint32().Draw(t, "cpu")
		grow(t, tree.Root, 3)
		blob, err := tree.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		got, err := Read(blob)
		if err != nil || got.BootCPU != tree.BootCPU || !got.equal(tree) || got.Source() != tree.Source() {
			t.Fatalf("%v: got\n%s\nwant\n%s", err, got.Source(), tree.Source())
		}
	})
}

func FuzzRead(f *testing.F) {
	blob, err := sample().Bytes()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob)
	f.Add(blob[:headerSize])
	f.Fuzz(func(t *testing.T, b []byte) {
		tree, err := Read(b)
		if err != nil {
			if tree != nil {
				t.Fatal("a tree and an error")
			}
			return
		}
		again := encode(t, tree)
		back, err := Read(again)
		if err != nil || !back.equal(tree) {
			t.Fatalf("%v: written back it is another tree\n%s", err, tree.Source())
		}
	})
}
