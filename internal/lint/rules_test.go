package lint

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A finding is one place that breaks a rule. name is what an allowance may
// match besides the path.
type finding struct {
	rule, at, name, say string
	src                 *source
}

// A rule looks at one file, with all files of its package at hand.
type rule struct {
	name  string
	check func(s *source, pkg []*source, report func(n ast.Node, name, say string))
}

var rules = []rule{
	{"go", checkGo},
	{"clock", checkClock},
	{"poll", checkPoll},
	{"print", checkPrint},
	{"init", checkInit},
	{"var", checkVar},
	{"skip", checkSkip},
	{"package-comment", checkPackageComment},
	{"doc", checkDoc},
	{"later", checkLater},
	{"length", checkLength},
}

func TestHouseRules(t *testing.T) {
	used := make([]bool, len(allowed))
	for _, f := range run(load(t)) {
		if i := allowance(f); i >= 0 {
			used[i] = true
			continue
		}
		t.Errorf("%s: %s: %s", f.at, f.rule, f.say)
	}
	for i, a := range allowed {
		if !used[i] {
			t.Errorf("allow_test.go: nothing needs {%s %s %s} any more; remove it (it was there because: %s)", a.rule, a.path, a.name, a.reason)
		}
	}
}

// run applies every rule to every file.
func run(all []*source) []finding {
	pkgs := make(map[string][]*source)
	for _, s := range all {
		pkgs[s.pkg] = append(pkgs[s.pkg], s)
	}
	var found []finding
	for _, s := range all {
		for _, r := range rules {
			r.check(s, pkgs[s.pkg], func(n ast.Node, name, say string) {
				found = append(found, finding{r.name, s.at(n), name, say, s})
			})
		}
	}
	return found
}

func command(s *source) bool { return strings.HasPrefix(s.pkg, "cmd/") || s.file.Name.Name == "main" }

// checkGo: goroutines start through sched.World.Go, so that each has a name, can
// be joined and can be simulated. Tests and commands are free.
func checkGo(s *source, _ []*source, report func(ast.Node, string, string)) {
	if s.test || command(s) || s.pkg == "internal/sched" {
		return
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if g, ok := n.(*ast.GoStmt); ok {
			report(g, "", "a go statement outside internal/sched; use World.Go")
		}
		return true
	})
}

// checkClock: time comes from a World or a clock that was passed in. In tests
// only time.Sleep is refused: it is no synchronisation.
func checkClock(s *source, _ []*source, report func(ast.Node, string, string)) {
	if s.pkg == "internal/sched" && !s.test || command(s) {
		return
	}
	banned := "Now Since Until Sleep After AfterFunc Tick NewTimer NewTicker"
	if s.test {
		banned = "Sleep"
	}
	selectors(s, "time", func(n ast.Node, name string) {
		if strings.Contains(" "+banned+" ", " "+name+" ") {
			report(n, name, "time."+name+": take a clock (or, in a test, wait for the event itself)")
		}
	})
}

// checkPoll: nothing waits by a nested poll. What it waits for would run in the
// middle of whatever the caller is at, with its locks, and all others wait with it.
func checkPoll(s *source, _ []*source, report func(ast.Node, string, string)) {
	if s.test || s.pkg == "aio" {
		return
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if f, ok := n.(*ast.SelectorExpr); ok && (f.Sel.Name == "WaitWhile" || f.Sel.Name == "RunIn") {
			report(f, "", "a nested poll; be a coroutine and yield")
		}
		return true
	})
}

// checkPrint: libraries say things through errors, events and the writers they
// are given.
func checkPrint(s *source, _ []*source, report func(ast.Node, string, string)) {
	if s.test || command(s) {
		return
	}
	selectors(s, "fmt", func(n ast.Node, name string) {
		if strings.HasPrefix(name, "Print") {
			report(n, name, "fmt."+name+" in a library")
		}
	})
	selectors(s, "log", func(n ast.Node, name string) { report(n, name, "log."+name+" in a library") })
	selectors(s, "os", func(n ast.Node, name string) {
		if name == "Stdout" || name == "Stderr" || name == "Stdin" {
			report(n, name, "os."+name+" in a library; take an io.Writer or io.Reader")
		}
	})
}

// checkInit: nothing happens by being imported.
func checkInit(s *source, _ []*source, report func(ast.Node, string, string)) {
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			report(f, "init", "func init: offer a Register function or a table")
		}
	}
}

// checkSkip: a test may be skipped under -short, or for a reason in the table;
// so may what serves tests.
func checkSkip(s *source, _ []*source, report func(ast.Node, string, string)) {
	serves := func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing"` }
	if !s.test && !slices.ContainsFunc(s.file.Imports, serves) {
		return
	}
	var free []ast.Node // where a skip is free
	ast.Inspect(s.file, func(n ast.Node) bool {
		// In rapid, Skip says that an action does not apply; it skips no test.
		if f, ok := n.(*ast.FuncLit); ok && mentions(f.Type, "rapid") {
			free = append(free, f.Body)
		}
		if f, ok := n.(*ast.FuncDecl); ok && mentions(f.Type, "rapid") {
			free = append(free, f.Body)
		}
		if i, ok := n.(*ast.IfStmt); ok && mentions(i.Cond, "Short") {
			free = append(free, i.Body)
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || (sel.Sel.Name != "Skip" && sel.Sel.Name != "Skipf" && sel.Sel.Name != "SkipNow") {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); !ok || len(x.Name) > 2 { // t, b, f, tb
			return true
		}
		for _, b := range free {
			if b.Pos() <= n.Pos() && n.End() <= b.End() {
				return true
			}
		}
		report(n, "", "a skipped test: what CI can install may not be skipped")
		return true
	})
}

// checkLater: what is missing refuses clearly; nothing is left for later.
func checkLater(s *source, _ []*source, report func(ast.Node, string, string)) {
	if s.pkg == "internal/lint" {
		return
	}
	for _, g := range s.file.Comments {
		for _, c := range g.List {
			if later.MatchString(c.Text) {
				report(c, "", "a note for later: finish it, refuse clearly, or file an issue")
			}
		}
	}
}

var later = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

// maxLines: past this a file is more than one noun.
const maxLines = 600

func checkLength(s *source, _ []*source, report func(ast.Node, string, string)) {
	if s.gen {
		return
	}
	if n := s.set.Position(s.file.FileEnd).Line; n > maxLines {
		report(s.file, "", fmt.Sprintf("%d lines, more than %d: two rooms in one?", n, maxLines))
	}
}

// selectors calls f for each use of a name of the package imported as path.
func selectors(s *source, path string, f func(n ast.Node, name string)) {
	local, ok := s.imports()[path]
	if !ok {
		return
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == local {
				f(sel, sel.Sel.Name)
			}
		}
		return true
	})
}

func mentions(n ast.Node, name string) bool {
	found := false
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == name {
			found = true
		}
		return !found
	})
	return found
}
