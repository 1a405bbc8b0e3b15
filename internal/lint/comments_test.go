package lint

import (
	"go/ast"
	"go/token"
)

// checkPackageComment: each package says what it is for, which goroutines it
// starts, its lock order, who owns what and what may block.
func checkPackageComment(s *source, pkg []*source, report func(ast.Node, string, string)) {
	if s.test || s != firstOf(pkg) {
		return
	}
	for _, p := range pkg {
		if !p.test && p.file.Doc != nil {
			return
		}
	}
	report(s.file.Name, "", "package "+s.pkg+" has no package comment")
}

func firstOf(pkg []*source) *source {
	for _, p := range pkg {
		if !p.test {
			return p
		}
	}
	return nil
}

// checkDoc: every exported name has a doc comment; a method counts when its
// type is exported; members of a group may share the group's comment. Methods
// Error and String need none: what they do is known.
func checkDoc(s *source, _ []*source, report func(ast.Node, string, string)) {
	if s.test || s.gen || s.file.Name.Name == "main" {
		return
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && exportedRecv(d) && !known(d) {
				report(d, d.Name.Name, "exported "+d.Name.Name+" has no doc comment")
			}
		case *ast.GenDecl:
			if d.Tok != token.IMPORT && d.Doc == nil {
				checkSpecs(d, report)
			}
		}
	}
}

func known(f *ast.FuncDecl) bool {
	return f.Recv != nil && (f.Name.Name == "Error" || f.Name.Name == "String")
}

func checkSpecs(d *ast.GenDecl, report func(ast.Node, string, string)) {
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Doc == nil && spec.Comment == nil && spec.Name.IsExported() {
				report(spec, spec.Name.Name, "exported type "+spec.Name.Name+" has no doc comment")
			}
		case *ast.ValueSpec:
			if spec.Doc == nil && spec.Comment == nil && spec.Names[0].IsExported() {
				report(spec, spec.Names[0].Name, "exported "+spec.Names[0].Name+" has no doc comment")
			}
		}
	}
}

func exportedRecv(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}
