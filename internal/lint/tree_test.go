package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/backplane-vm/backplane"

// A source is one parsed Go file of the module.
type source struct {
	pkg  string // package directory, slash-separated; "backplane" for the root
	path string // file path below the root
	test bool   // a _test.go file
	gen  bool   // generated: its generator answers for style
	file *ast.File
	set  *token.FileSet
}

// at returns "path:line" of n.
func (s *source) at(n ast.Node) string {
	p := s.set.Position(n.Pos())
	return fmt.Sprintf("%s:%d", s.path, p.Line)
}

// imports returns the import paths of s, each with the local name it has.
func (s *source) imports() map[string]string {
	m := make(map[string]string)
	for _, spec := range s.file.Imports {
		path := strings.Trim(spec.Path.Value, `"`)
		name := path[strings.LastIndexByte(path, '/')+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		m[path] = name
	}
	return m
}

// load parses every Go file of the main module: not of nested modules, not
// under testdata, not under folders that begin with '.' or '_'.
func load(t *testing.T) []*source {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var all []*source
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(path, root)), "/")
		if d.IsDir() {
			if rel != "" && outside(path, d.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") {
			return nil
		}
		s := &source{path: rel, test: strings.HasSuffix(rel, "_test.go"), set: token.NewFileSet()}
		s.pkg = "backplane"
		if i := strings.LastIndexByte(rel, '/'); i >= 0 {
			s.pkg = rel[:i]
		}
		s.file, err = parser.ParseFile(s.set, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.gen = ast.IsGenerated(s.file)
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no Go files found")
	}
	return all
}

// outside reports whether a folder is no part of the main module.
func outside(path, name string) bool {
	if name == "testdata" || name == "bin" || name[0] == '.' || name[0] == '_' {
		return true
	}
	mods, _ := filepath.Glob(filepath.Join(path, "go.mod"))
	return len(mods) > 0
}
