package scenario

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/backplane-vm/backplane/"

// The dispatcher of QMP needs no coroutines, nor does a guest agent: what a
// handler may yield with is a parameter, and who runs handlers knows whether
// he is in one. In QEMU the thread came to the same end and took another way.
func TestNoCoroutinesInDispatch(t *testing.T) {
	for _, pkg := range []string{"qmp", "qga"} {
		if _, err := os.Stat(filepath.Join("../..", pkg)); err != nil && pkg == "qga" {
			continue // not yet in the tree
		}
		all := needs(t, pkg, make(map[string]bool))
		if len(all) < 2 {
			t.Errorf("%s needs %v: the check does not look", pkg, all)
		}
		for _, bad := range []string{"coro", "aio", "rcu", "internal/bql", "internal/sched"} {
			if slices.Contains(all, bad) {
				t.Errorf("%s imports %s, in the end", pkg, bad)
			}
		}
	}
	if all := needs(t, "internal/monitor", make(map[string]bool)); !slices.Contains(all, "coro") {
		t.Error("internal/monitor is not seen to import coro: the check does not look")
	}
}

// needs returns the packages of the module that pkg imports, in the end, tests
// left out.
func needs(t *testing.T, pkg string, seen map[string]bool) []string {
	t.Helper()
	seen[pkg] = true
	files, err := filepath.Glob(filepath.Join("../..", pkg, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files: %v", pkg, err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			path, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
			if ours && !seen[path] {
				needs(t, path, seen)
			}
		}
	}
	var list []string
	for p := range seen {
		list = append(list, p)
	}
	return list
}
