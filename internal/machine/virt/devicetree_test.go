package virt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/backplane-vm/backplane/internal/fdt"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/riscv"
)

// What QEMU hands a guest with two CPUs and 512 MiB of RAM: the source as
// recorded, beside the checkout, and the same compiled.
const (
	recordedSource   = "../../../../shared/reference/virt-10.0.dts"
	recordedCompiled = "testdata/virt-10.0.dtb"
	recordedCPUs     = 2
	recordedRAM      = 512 << 20
)

// Nodes of QEMU's tree that this machine lacks, by how their paths begin.
var absentNodes = []string{
	"/platform-bus@", "/pmu", "/fw-cfg@", "/flash@", "/soc/rtc@", "/soc/virtio_mmio@",
}

// Properties of QEMU's CPUs that are others here; "" for absent.
var otherCPU = map[string]string{
	"riscv,cbom-block-size": "",
	"riscv,cbop-block-size": "",
	"riscv,cboz-block-size": "",
	"riscv,isa":             `riscv,isa = "rv64imac_zicntr_zicsr_zifencei"`,
	"riscv,isa-extensions":  `riscv,isa-extensions = "i", "m", "a", "c", "zicntr", "zicsr", "zifencei"`,
	"mmu-type":              `mmu-type = "riscv,sv39"`,
}

// Where properties hold phandles: the cell at, of every group of so many.
var phandleAt = map[string]struct{ group, at int }{
	"cpu":                 {1, 0},
	"interrupt-parent":    {1, 0},
	"interrupts-extended": {2, 0},
	"interrupt-map":       {6, 4},
	"regmap":              {1, 0},
}

// flat is a tree as path:property to the property as text, with the paths of
// nodes in place of their phandles.
type flat map[string]string

func flatten(t testing.TB, tree *fdt.Tree) flat {
	t.Helper()
	var walk func(n *fdt.Node, path string, visit func(path string, p fdt.Property))
	walk = func(n *fdt.Node, path string, visit func(string, fdt.Property)) {
		for _, p := range n.Properties {
			visit(path, p)
		}
		for _, c := range n.Children {
			walk(c, path+"/"+c.Name, visit)
		}
	}
	paths := make(map[uint32]string)
	walk(tree.Root, "", func(path string, p fdt.Property) {
		if p.Name == "phandle" {
			h := binary.BigEndian.Uint32(p.Value)
			if h == 0 || paths[h] != "" {
				t.Errorf("phandle %d of %s is 0 or has been seen (%s)", h, path, paths[h])
			}
			paths[h] = path
		}
	})
	f := make(flat)
	walk(tree.Root, "", func(path string, p fdt.Property) {
		f[path+":"+p.Name] = p.String()
		where, ok := phandleAt[p.Name]
		if !ok {
			return
		}
		var cells []string
		for i := range len(p.Value) / 4 {
			v := binary.BigEndian.Uint32(p.Value[4*i:])
			if i%where.group != where.at {
				cells = append(cells, fmt.Sprintf("%#x", v))
			} else if cells = append(cells, paths[v]); paths[v] == "" {
				t.Errorf("%s of %s: no node has phandle %d", p.Name, path, v)
			}
		}
		f[path+":"+p.Name] = p.Name + " = <" + strings.Join(cells, " ") + ">"
	})
	return f
}

// without drops what begins so.
func (f flat) without(prefixes ...string) {
	maps.DeleteFunc(f, func(at, _ string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(at, p) })
	})
}

// resize makes QEMU's tree for two CPUs and 512 MiB one for other numbers.
// Phandles go, because they are numbered along with the CPUs.
func (f flat) resize(cpus int, ram uint64) {
	first := maps.Clone(f)
	f.without("/cpus/cpu@", "/cpus/cpu-map/cluster0/core")
	var plic, clint []string
	for i := range cpus {
		cpu := fmt.Sprintf("/cpus/cpu@%d", i)
		for at, p := range first {
			if rest, ok := strings.CutPrefix(at, "/cpus/cpu@0"); ok {
				f[cpu+rest] = p
			}
		}
		f[cpu+":reg"] = fmt.Sprintf("reg = <%#x>", i)
		f[fmt.Sprintf("/cpus/cpu-map/cluster0/core%d:cpu", i)] = "cpu = <" + cpu + ">"
		intc := cpu + "/interrupt-controller"
		plic = append(plic, intc, "0xb", intc, "0x9")
		clint = append(clint, intc, "0x3", intc, "0x7")
	}
	f["/soc/plic@c000000:interrupts-extended"] = "interrupts-extended = <" + strings.Join(plic, " ") + ">"
	f["/soc/clint@2000000:interrupts-extended"] = "interrupts-extended = <" + strings.Join(clint, " ") + ">"
	f["/memory@80000000:reg"] = fmt.Sprintf("reg = <0x0 0x80000000 %#x %#x>", ram>>32, uint32(ram))
	maps.DeleteFunc(f, func(at, _ string) bool { return strings.HasSuffix(at, ":phandle") })
}

// diff reports each property in which the trees differ.
func diff(t *testing.T, got, want flat) {
	t.Helper()
	both := maps.Clone(got)
	maps.Copy(both, want)
	for _, at := range slices.Sorted(maps.Keys(both)) {
		if got[at] != want[at] {
			t.Errorf("%s:\n\tis       %s\n\tshall be %s", at, got[at], want[at])
		}
	}
}

func recorded(t testing.TB) flat {
	t.Helper()
	b, err := os.ReadFile(recordedCompiled)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := fdt.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return flatten(t, tree)
}

// sequence is random numbers for tests: 0, 1, 2 and so on.
func sequence() *bytes.Reader {
	b := make([]byte, seedSize)
	for i := range b {
		b[i] = byte(i)
	}
	return bytes.NewReader(b)
}

const sequenceSeed = "rng-seed = <0x10203 0x4050607 0x8090a0b 0xc0d0e0f 0x10111213 0x14151617 0x18191a1b 0x1c1d1e1f>"

func makeTree(t testing.TB, c Config) ([]byte, flat) {
	t.Helper()
	blob, err := deviceTree(c, riscv.ISA, sequence())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := fdt.Read(blob)
	if err != nil {
		t.Fatal(err)
	}
	return blob, flatten(t, tree)
}

// TestDeviceTree compares every property with QEMU's.
func TestDeviceTree(t *testing.T) {
	for _, c := range []Config{
		{CPUs: 1, RAM: 128 << 20},
		{CPUs: recordedCPUs, RAM: recordedRAM},
		{CPUs: 8, RAM: 5 << 30, Append: `root=/dev/vda "a b"`},
	} {
		t.Run(fmt.Sprintf("%d CPUs", c.CPUs), func(t *testing.T) {
			_, got := makeTree(t, c)
			want := recorded(t)
			if c.CPUs != recordedCPUs {
				want.resize(c.CPUs, c.RAM)
				maps.DeleteFunc(got, func(at, _ string) bool { return strings.HasSuffix(at, ":phandle") })
			}
			for _, prefix := range absentNodes {
				before := len(want)
				if want.without(prefix); len(want) == before {
					t.Errorf("QEMU has no %s either", prefix)
				}
			}
			for i := range c.CPUs {
				for name, p := range otherCPU {
					at := fmt.Sprintf("/cpus/cpu@%d:%s", i, name)
					if want[at] == "" || want[at] == p {
						t.Errorf("%s is QEMU's too", at)
					}
					if want[at] = p; p == "" {
						delete(want, at)
					}
				}
			}
			want["/chosen:rng-seed"] = sequenceSeed
			if c.Append != "" {
				want["/chosen:bootargs"] = `bootargs = "root=/dev/vda \"a b\""`
			}
			diff(t, got, want)
		})
	}
}

// TestResize holds the rule by which the tests grow QEMU's tree against the
// tree itself.
func TestResize(t *testing.T) {
	got, want := recorded(t), recorded(t)
	got.resize(recordedCPUs, recordedRAM)
	maps.DeleteFunc(want, func(at, _ string) bool { return strings.HasSuffix(at, ":phandle") })
	diff(t, got, want)
}

// TestDeviceTreeCompiler looks at our tree with dtc's eyes, where dtc is
// installed, and at the compiled reference beside its source, where that lies.
func TestDeviceTreeCompiler(t *testing.T) {
	dtc, err := exec.LookPath("dtc")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("no dtc, which .ci/run installs: ", err)
	}
	if err != nil {
		t.Log("dtc is not installed; TestDeviceTree does without")
		return
	}
	compile := func(file string) flat {
		blob, err := exec.Command(dtc, "-q", "-I", "dts", "-O", "dtb", file).Output()
		if err != nil {
			t.Fatalf("dtc does not compile %s: %v", file, err)
		}
		tree, err := fdt.Read(blob)
		if err != nil {
			t.Fatal(err)
		}
		return flatten(t, tree)
	}
	if _, err := os.Stat(recordedSource); err == nil {
		diff(t, recorded(t), compile(recordedSource))
	}
	for _, cpus := range []int{1, 2, 8} {
		blob, want := makeTree(t, Config{CPUs: cpus, RAM: recordedRAM, Append: "quiet"})
		ours := filepath.Join(t.TempDir(), "ours")
		if err := os.WriteFile(ours+".dtb", blob, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(dtc, "-q", "-I", "dtb", "-O", "dts", "-o", ours+".dts", ours+".dtb").CombinedOutput(); err != nil {
			t.Fatalf("dtc does not read the tree of %d CPUs: %v\n%s", cpus, err, out)
		}
		diff(t, compile(ours+".dts"), want)
	}
}

func TestDeviceTreeLargest(t *testing.T) {
	blob, got := makeTree(t, Config{CPUs: machine.MaxCPUs, RAM: recordedRAM})
	if at := fmt.Sprintf("/cpus/cpu@%d:reg", machine.MaxCPUs-1); got[at] != fmt.Sprintf("reg = <%#x>", machine.MaxCPUs-1) {
		t.Errorf("%s is %q", at, got[at])
	}
	if len(blob) > fdt.MaxSize/2 {
		t.Errorf("%d bytes", len(blob))
	}
}

func TestDeviceTreeSstc(t *testing.T) {
	blob, err := deviceTree(Config{CPUs: 1, RAM: recordedRAM}, riscv.ISA+"_sstc", sequence())
	if err != nil {
		t.Fatal(err)
	}
	tree, err := fdt.Read(blob)
	if err != nil {
		t.Fatal(err)
	}
	cpu := tree.Root.Find("cpus/cpu@0")
	isa, _ := cpu.Get("riscv,isa")
	extensions, _ := cpu.Get("riscv,isa-extensions")
	if string(isa) != riscv.ISA+"_sstc\x00" || !bytes.HasSuffix(extensions, []byte("\x00sstc\x00")) {
		t.Errorf("%q, %q", isa, extensions)
	}
}

func TestDeviceTreeRefuses(t *testing.T) {
	broken := errors.New("broken")
	if b, err := deviceTree(Config{CPUs: 1}, riscv.ISA, iotest.ErrReader(broken)); b != nil || !errors.Is(err, broken) {
		t.Errorf("without random numbers: %d bytes, %v", len(b), err)
	}
	if b, err := deviceTree(Config{CPUs: 1, Append: "a\x00b"}, riscv.ISA, sequence()); b != nil || err == nil {
		t.Errorf("with a NUL: %d bytes, %v", len(b), err)
	}
}

func TestSplitISA(t *testing.T) {
	for isa, want := range map[string]string{
		"rv64i":               "rv64i i",
		"rv64imac":            "rv64i i m a c",
		"rv64imac_zicsr_sstc": "rv64i i m a c zicsr sstc",
	} {
		base, extensions := splitISA(isa)
		if got := base + " " + strings.Join(extensions, " "); got != want {
			t.Errorf("%s: %s, want %s", isa, got, want)
		}
	}
}

func TestTreeAddress(t *testing.T) {
	for _, c := range []struct {
		ram, loaded uint64
		size        int
		want        uint64
		ok          bool
	}{
		{recordedRAM, 0, 0x176c, 0x9fe00000, true}, // as QEMU's info roms has it
		{recordedRAM, 0x9fe00000, 0x176c, 0x9fe00000, true},
		{recordedRAM, 0x9fe00001, 0x176c, 0x9fe00000, false},
		{5 << 30, 0x81000000, 0x176c, 0x1bfe00000, true},
		{2 << 20, 0, 2 << 20, 0x80000000, true},
		{4 << 20, 0, 2 << 20, 0x80200000, true},
		{4 << 20, 0, 2<<20 + 1, 0x80000000, true},
		{1 << 20, 0, 4096, 0x80000000, true},
		{1 << 20, 0x80001000, 4096, 0x80000000, false},
		{4096, 0, 4097, 0, false},
		{0, 0, 1, 0, false},
	} {
		if got, ok := treeAddress(c.ram, c.loaded, c.size); got != c.want || ok != c.ok {
			t.Errorf("treeAddress(%#x, %#x, %#x) = %#x, %v, want %#x, %v", c.ram, c.loaded, c.size, got, ok, c.want, c.ok)
		}
	}
}
