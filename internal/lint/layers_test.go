package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// layers says which package may import which. It is a statement of policy:
// change it when the architecture changes, not to make an import pass.
//
//	a, b < c, d;    c and d may import a and b, and all that those may import
//
// A chain `a < b < c` is `a < b; b < c`. NONE is below everything. Names in
// capitals are layers, not packages. Paths are below the module's root;
// "backplane" is the root package; a name with a dot in its first element is a
// package from outside. The standard library is free for all. Test files may
// import any package of the module and what testOnly lists.
const layers = `
	# These rules.
	NONE < internal/lint;

	# From outside.
	NONE < golang.org/x/sys/unix, golang.org/x/term;

	# Errors, values, the schema language, the wire. They know no machine, and
	# the wire knows no coroutines: a guest agent uses it without them.
	NONE < qapi/qerr < qapi/qobject < qapi/visit;
	qapi/qobject < qapi < qapi/gen < qapi/gen/cmd/qapi-gen;
	NONE < qapi/schema;
	qapi, qapi/visit < qmp < qmp/qmptest;
	qapi/gen, qmp < qapi/gen/gentest;

	# The concurrency core, and bugs planted in it on purpose, which are nothing
	# but a false in builds that are used.
	NONE < internal/sched, internal/mutant < coro, internal/bql;
	internal/sched < internal/sched/schedtest;
	internal/sched, internal/mutant < internal/mutant/mutanttest;
	coro < rcu;
	internal/bql, coro < aio;

	# Generated commands join the two: a coroutine command has a *coro.Co.
	coro, qmp < qapi/api;

	# The human monitor.
	qapi/qobject < hmp/readline < hmp;
	hmp, qapi/api < hmp/view;

	# Option strings.
	qapi/qobject < internal/opts;

	# Cores without I/O: registers in, actions out.
	qapi/qerr < internal/pci/config, internal/pci/slot, internal/virtio/vring;

	# Descriptors that management hands in.
	qapi/qerr, golang.org/x/sys/unix < internal/descriptor;

	# Memory and the object model.
	aio, rcu, qapi/visit, internal/opts < BASE;
	BASE, golang.org/x/sys/unix < internal/mem;
	BASE < internal/qom;
	internal/mem, internal/qom < internal/qdev;

	# Who may come in, and how they show who they are.
	golang.org/x/sys/unix < internal/hostfile;
	qapi/visit, internal/hostfile < internal/authz;
	qapi/qerr, internal/hostfile < internal/credentials;
	NONE < internal/credentials/credtest, internal/qemutest;

	# Backends.
	internal/mem, internal/qom, internal/descriptor, internal/hostfile, internal/authz, internal/credentials < internal/backend;
	coro, qapi/qerr < internal/block/qcow2;
	qapi/qerr, internal/mutant < internal/block/throttle < internal/backend;
	BASE, internal/qom, golang.org/x/sys/unix, internal/descriptor, internal/block/qcow2, internal/block/throttle < internal/block;
	BASE, internal/credentials, internal/qom, golang.org/x/sys/unix, internal/descriptor, golang.org/x/term < internal/chardev;

	# Buses and devices.
	internal/qdev, internal/pci/config, internal/pci/slot < internal/pci;
	internal/pci, internal/virtio/vring < internal/virtio;
	internal/block, internal/virtio < internal/virtio/blk;
	internal/virtio < internal/virtio/rng, internal/virtio/virtiotest;

	# The CPU, and the chips around it.
	internal/mem < internal/riscv < internal/riscv/disasm;
	internal/qdev, internal/riscv < CHIPS;
	CHIPS < internal/riscv/aclint, internal/riscv/plic, internal/riscv/finisher, internal/riscv/loader;
	CHIPS, internal/chardev < internal/riscv/uart16550;

	# Machines, then what drives them.
	NONE < guest/demo, internal/fdt;
	internal/riscv/aclint, internal/riscv/plic, internal/riscv/finisher, internal/riscv/loader,
	internal/riscv/uart16550, internal/virtio/blk, internal/virtio/rng, guest/demo < internal/machine/virt;
	qapi/qerr < internal/trace < internal/machine;
	internal/backend, internal/pci, internal/riscv, internal/block, internal/chardev < internal/machine;
	internal/machine, internal/fdt < internal/machine/virt;
	internal/machine/virt, internal/riscv/disasm, qapi/api, qapi/schema, hmp/view < internal/monitor;

	# Taking times from outside.
	qmp, guest/demo, internal/sched < internal/measure < cmd/backplane;

	# What an embedder types first, and the binary.
	internal/monitor < internal/launch < backplane < backplanetest < cmd/backplane;

	# The machine under test: in a simulated World, and tormented.
	internal/monitor < internal/scenario < cmd/backplane;
	internal/launch < internal/torture;

	# Pages; their tests ask the program.
	NONE < docs;
`

// testOnly are the packages from outside that only test files may import.
var testOnly = []string{"pgregory.net/rapid", "go.uber.org/goleak"}

func TestLayers(t *testing.T) {
	may, err := parseLayers(layers)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, s := range load(t) {
		if may[s.pkg] == nil {
			if !seen[s.pkg] {
				t.Errorf("package %s has no place in the layers of layers_test.go", s.pkg)
			}
			seen[s.pkg] = true
			continue
		}
		seen[s.pkg] = true
		for path := range s.imports() {
			if why := refuse(may, s, path); why != "" {
				t.Errorf("%s: %s", s.path, why)
			}
		}
	}
	for p := range may {
		if strings.ToLower(p) == p && !strings.Contains(p, ".") && !seen[p] {
			t.Logf("in the layers, not yet in the tree: %s", p)
		}
	}
}

// refuse says why s may not import path, or "".
func refuse(may map[string]map[string]bool, s *source, path string) string {
	name, own := strings.CutPrefix(path, module+"/")
	switch {
	case path == module:
		name, own = "backplane", true
	case path == "C":
		return "cgo is not for this module"
	case !own && !strings.Contains(strings.SplitN(path, "/", 2)[0], "."):
		return "" // standard library
	}
	if s.test && (own || slices.Contains(testOnly, path)) {
		return ""
	}
	if !may[s.pkg][name] {
		return fmt.Sprintf("%s may not import %s (see layers_test.go)", s.pkg, name)
	}
	return ""
}

// parseLayers returns, for each name of spec, the set of names below it.
func parseLayers(spec string) (map[string]map[string]bool, error) {
	below := map[string]map[string]bool{}
	for _, stmt := range strings.Split(stripComments(spec), ";") {
		sides := strings.Split(stmt, "<")
		if len(sides) < 2 {
			if strings.TrimSpace(stmt) != "" {
				return nil, fmt.Errorf("layers: no '<' in %q", strings.TrimSpace(stmt))
			}
			continue
		}
		for i := 1; i < len(sides); i++ {
			for _, hi := range names(sides[i]) {
				if below[hi] == nil {
					below[hi] = map[string]bool{}
				}
				for _, lo := range names(sides[i-1]) {
					if lo != "NONE" && below[lo] == nil {
						return nil, fmt.Errorf("layers: %s is used before it has a place", lo)
					}
					if lo == hi || below[lo][hi] {
						return nil, fmt.Errorf("layers: %s and %s are each below the other", lo, hi)
					}
					below[hi][lo] = true
					for l := range below[lo] {
						below[hi][l] = true
					}
				}
			}
		}
	}
	return below, nil
}

func stripComments(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, "#")
		b.WriteString(line + "\n")
	}
	return b.String()
}

func names(list string) []string {
	f := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
	return f
}

func TestParseLayers(t *testing.T) {
	may, err := parseLayers("NONE < a, b < c; # words\n NONE < d; c, d < e;")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		hi, lo string
		want   bool
	}{{"e", "a", true}, {"c", "b", true}, {"a", "b", false}, {"c", "d", false}, {"a", "e", false}} {
		if may[c.hi][c.lo] != c.want {
			t.Errorf("%s may import %s: %v, want %v", c.hi, c.lo, may[c.hi][c.lo], c.want)
		}
	}
	for _, bad := range []string{"a < b", "NONE < a; b", "NONE < a < b; b < a", "NONE < a < a"} {
		if _, err := parseLayers(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
