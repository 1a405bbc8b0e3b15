package lint

import (
	"go/ast"
	"go/token"
	"strings"
)

// checkVar: no package-level mutable state; one process can hold a thousand
// machines. A package-level var passes only if all of this holds:
//
//   - it is `_`, or embedded (//go:embed), or has an initialiser;
//   - the initialiser makes no state: no channel, nothing of sync or sync/atomic;
//   - it holds no pointer either (&T{…}, new, a call of a function of its own
//     package that returns one, a call into another package that is not in
//     makers below), unless its comment says that it never changes, or is never
//     changed: then who writes it stands by that word;
//   - no function of the package assigns to it, to its elements or its fields,
//     deletes from it, or takes its address.
//
// Tests are free.
func checkVar(s *source, pkg []*source, report func(ast.Node, string, string)) {
	if s.test {
		return
	}
	for _, d := range s.file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			embedded := hasEmbed(g.Doc) || hasEmbed(v.Doc)
			for i, name := range v.Names {
				if name.Name == "_" {
					continue
				}
				if !embedded {
					why, pointer := mutable(v, i, pkg)
					if why != "" && !(pointer && (vows(g.Doc) || vows(v.Doc) || vows(v.Comment))) {
						report(v, name.Name, "package-level var "+name.Name+": "+why)
						continue
					}
				}
				if s, n := writer(name.Name, pkg); n != nil {
					report(v, name.Name, "package-level var "+name.Name+" is written at "+s.at(n))
				}
			}
		}
	}
}

// vows reports whether a comment says that the variable never changes.
func vows(g *ast.CommentGroup) bool {
	if g == nil {
		return false
	}
	text := strings.Join(strings.Fields(g.Text()), " ")
	return strings.Contains(text, "never change")
}

func hasEmbed(g *ast.CommentGroup) bool {
	if g == nil {
		return false
	}
	for _, c := range g.List {
		if strings.HasPrefix(c.Text, "//go:embed ") {
			return true
		}
	}
	return false
}

// makers are functions of other packages whose results nobody can change.
var makers = map[string]bool{
	"errors.New": true, "fmt.Errorf": true, "qerr.New": true, "qerr.Newc": true,
	"regexp.MustCompile": true, "strings.NewReplacer": true, "reflect.TypeFor": true, "reflect.TypeOf": true,
	"time.Unix": true, "strings.Fields": true, "strings.Split": true, "math.Inf": true, "math.NaN": true,
}

// mutable says why the i-th name of v may be state, or "", and whether that is
// only because it holds a pointer.
func mutable(v *ast.ValueSpec, i int, pkg []*source) (why string, pointer bool) {
	if len(v.Values) == 0 {
		return "has no initialiser, so it can only be state", false
	}
	value := v.Values[min(i, len(v.Values)-1)]
	ast.Inspect(value, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				why, pointer = "holds a pointer and its comment does not say that it never changes", true
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && (x.Name == "sync" || x.Name == "atomic") {
				why, pointer = "holds a "+x.Name+"."+n.Sel.Name, false
				return false
			}
		case *ast.ChanType:
			why, pointer = "holds a channel", false
			return false
		case *ast.CallExpr:
			if w := badCall(n, pkg); w != "" {
				why, pointer = w, true
			}
		}
		return why == "" || pointer
	})
	return why, pointer
}

// badCall says why a call may not initialise a package-level var, or "".
func badCall(call *ast.CallExpr, pkg []*source) string {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && !makers[x.Name+"."+f.Sel.Name] && !conversion(f.Sel.Name, call) {
			return "is made by " + x.Name + "." + f.Sel.Name + ", which may make state"
		}
	case *ast.Ident:
		if f.Name == "new" {
			return "holds a pointer"
		}
		for _, s := range pkg {
			for _, d := range s.file.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if ok && fn.Recv == nil && fn.Name.Name == f.Name && returnsPointer(fn) {
					return "is made by " + f.Name + ", which returns a pointer"
				}
			}
		}
	}
	return ""
}

// conversion guesses whether pkg.Name(x) converts: one basic operand.
func conversion(_ string, call *ast.CallExpr) bool {
	if len(call.Args) != 1 {
		return false
	}
	_, basic := call.Args[0].(*ast.BasicLit)
	return basic
}

func returnsPointer(f *ast.FuncDecl) bool {
	if f.Type.Results == nil {
		return false
	}
	for _, r := range f.Type.Results.List {
		if _, ok := r.Type.(*ast.StarExpr); ok {
			return true
		}
	}
	return false
}

// writer finds a place in the package (tests excepted) that writes to the
// package-level name. Functions that declare the name themselves are passed over.
func writer(name string, pkg []*source) (*source, ast.Node) {
	for _, s := range pkg {
		if s.test {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil || declares(f, name) {
				continue
			}
			if n := writes(f.Body, name); n != nil {
				return s, n
			}
		}
	}
	return nil, nil
}

func writes(body ast.Node, name string) (at ast.Node) {
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				if base(l) == name && n.Tok != token.DEFINE {
					at = n
				}
			}
		case *ast.IncDecStmt:
			if base(n.X) == name {
				at = n
			}
		case *ast.UnaryExpr:
			// The address of an element of a table is how Go reads a large one
			// without copying; the address of the variable itself is not.
			if id, ok := n.X.(*ast.Ident); ok && n.Op == token.AND && id.Name == name {
				at = n
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && base(n.Args[0]) == name {
				at = n
			}
		}
		return at == nil
	})
	return at
}

// base is the variable that an addressable expression is part of.
func base(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x.Name
		case *ast.IndexExpr:
			e = x.X
		case *ast.SelectorExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return ""
		}
	}
}

func declares(f *ast.FuncDecl, name string) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			for _, id := range n.Names {
				found = found || id.Name == name
			}
		case *ast.AssignStmt:
			for _, l := range n.Lhs {
				if id, ok := l.(*ast.Ident); ok && n.Tok == token.DEFINE && id.Name == name {
					found = true
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if id, ok := e.(*ast.Ident); ok && n.Tok == token.DEFINE && id.Name == name {
					found = true
				}
			}
		case *ast.ValueSpec:
			for _, id := range n.Names {
				found = found || id.Name == name
			}
		}
		return !found
	})
	return found
}
