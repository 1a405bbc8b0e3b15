package lint

import (
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestRulesFind runs the rules over small files, so that a rule that stopped
// finding anything is found itself.
func TestRulesFind(t *testing.T) {
	for _, c := range []struct {
		name, path, src string
		want            []string // rules broken, sorted
	}{
		{"clean", "p/a.go", "// Package p is.\npackage p\n\nvar table = [2]int{1, 2}\n", nil},
		{"no comments", "p/a.go", "package p\n\nfunc F() {}\n\ntype T struct{}\n\nfunc (T) M() {}\n\nfunc (t t) M() {}\n",
			[]string{"doc", "doc", "doc", "package-comment"}},
		{"group comment", "p/a.go", "// Package p is.\npackage p\n\n// All.\nconst (\n\tA = 1\n\tB = 2\n)\n", nil},
		{"go", "p/a.go", "// Package p is.\npackage p\n\nfunc f() { go f() }\n", []string{"go"}},
		{"go in sched", "internal/sched/a.go", "// Package p is.\npackage p\n\nfunc f() { go f() }\n", nil},
		{"go in cmd", "cmd/x/a.go", "// Command x is.\npackage main\n\nfunc f() { go f() }\n", nil},
		{"clock", "p/a.go", "// Package p is.\npackage p\n\nimport clk \"time\"\n\nfunc f() { clk.Sleep(clk.Second); _ = clk.Now() }\n",
			[]string{"clock", "clock"}},
		{"sleep in a test", "p/a_test.go", "package p\n\nimport \"time\"\n\nfunc f() { time.Sleep(1); _ = time.Now() }\n", []string{"clock"}},
		{"poll", "p/a.go", "// Package p is.\npackage p\n\nfunc f(c context) { c.WaitWhile(nil); c.RunIn(c, nil) }\n", []string{"poll", "poll"}},
		{"poll in aio", "aio/a.go", "// Package p is.\npackage p\n\nfunc f(c context) { c.WaitWhile(nil) }\n", nil},
		{"print", "p/a.go", "// Package p is.\npackage p\n\nimport (\n\"fmt\"\n\"log\"\n\"os\"\n)\n\nfunc f() { fmt.Println(); log.Print(); fmt.Fprintln(os.Stdout) }\n",
			[]string{"print", "print", "print"}},
		{"init", "p/a.go", "// Package p is.\npackage p\n\nfunc init() {}\n", []string{"init"}},
		{"var written", "p/a.go", "// Package p is.\npackage p\n\nvar m = map[int]int{}\n\nfunc f() { m[1]++ }\n", []string{"var"}},
		{"var shadowed", "p/a.go", "// Package p is.\npackage p\n\nvar n = 1\n\nfunc f() { n := 2; n = 3; _ = n }\n", nil},
		{"var without value", "p/a.go", "// Package p is.\npackage p\n\nvar n int\n", []string{"var"}},
		{"var pointer", "p/a.go", "// Package p is.\npackage p\n\nvar n = &t{}\n", []string{"var"}},
		{"var pointer, vowed", "p/a.go", "// Package p is.\npackage p\n\n// n never\n// changes.\nvar n = &t{}\n", nil},
		{"var lock, vowed", "p/a.go", "// Package p is.\npackage p\n\nimport \"sync\"\n\n// n never changes.\nvar n = &sync.Mutex{}\n", []string{"var"}},
		{"skip", "p/a_test.go", "package p\n\nfunc f(t *testing.T) { t.Skip() }\n", []string{"skip"}},
		{"skip short", "p/a_test.go", "package p\n\nfunc f(t *testing.T) { if testing.Short() { t.Skip() } }\n", nil},
		{"skip rapid", "p/a_test.go", "package p\n\nfunc f(t *rapid.T) { t.Skip() }\n", nil},
		{"later", "p/a.go", "// Package p is.\npackage p // " + "TODO: more\n", []string{"later"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &source{path: c.path, pkg: path.Dir(c.path), test: strings.HasSuffix(c.path, "_test.go"), set: token.NewFileSet()}
			var err error
			if s.file, err = parser.ParseFile(s.set, c.path, c.src, parser.ParseComments|parser.SkipObjectResolution); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range run([]*source{s}) {
				got = append(got, f.rule)
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) {
				t.Errorf("rules broken: %v, want %v", got, c.want)
			}
		})
	}
}
