// Command qapi-gen writes Go from a QAPI schema; see package gen.
//
// Usage:
//
//	qapi-gen [-package NAME] [-define NAME,...] -o DIR SCHEMA
//
// Files in DIR that an earlier run generated and this one does not are
// removed; files without the mark of generated code are never touched.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/qapi"
	"github.com/backplane-vm/backplane/qapi/gen"
)

func main() {
	pkg := flag.String("package", "api", "name of the Go package")
	defines := flag.String("define", "", "configuration names that hold, separated by commas")
	dir := flag.String("o", "", "directory to write to")
	flag.Parse()
	if flag.NArg() != 1 || *dir == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *pkg, *dir, strings.Split(*defines, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "qapi-gen:", err)
		os.Exit(1)
	}
}

func run(schema, pkg, dir string, defines []string) error {
	s, err := qapi.Load(os.DirFS(filepath.Dir(schema)), filepath.Base(schema))
	if err != nil {
		return err
	}
	if s, err = s.Select(func(name string) bool { return slices.Contains(defines, name) }); err != nil {
		return err
	}
	files, err := gen.Generate(s, pkg)
	if err != nil {
		return err
	}
	if err := removeStale(dir, files); err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// removeStale removes generated files that are not among files.
func removeStale(dir string, files map[string][]byte) error {
	old, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, name := range old {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if files[filepath.Base(name)] == nil && bytes.HasPrefix(text, []byte(gen.Header)) {
			if err := os.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}
