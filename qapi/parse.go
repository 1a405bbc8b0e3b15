package qapi

// maxDepth bounds the nesting of braces and brackets in one expression. The
// deepest the language can use is 6 (a condition inside a feature inside a
// member); the rest is room for conditions within conditions.
const maxDepth = 32

// nodeKind is what a node of an expression is.
type nodeKind byte

const (
	nodeString nodeKind = iota
	nodeBool
	nodeList
	nodeObject
)

var nodeKindNames = [...]string{"a string", "a boolean", "an array", "an object"}

func (k nodeKind) String() string { return nodeKindNames[k] }

// node is a parsed value. Objects keep the order of their members.
type node struct {
	kind    nodeKind
	pos     Pos
	str     string
	yes     bool
	items   []*node
	members []field
}

type field struct {
	key   string
	pos   Pos
	value *node
}

// get returns the value of key, or nil.
func (n *node) get(key string) *node {
	for i := range n.members {
		if n.members[i].key == key {
			return n.members[i].value
		}
	}
	return nil
}

// expr is a top-level expression with the documentation that precedes it.
type expr struct {
	*node
	doc *Doc
}

// parser turns the tokens of one file into expressions.
type parser struct {
	lex   *lexer
	tok   token
	depth int
}

// parseFile returns the expressions of one schema file in their order. It
// does not follow includes.
func parseFile(file, src string) ([]expr, error) {
	p := &parser{lex: newLexer(file, src)}
	if err := p.advance(); err != nil {
		return nil, err
	}
	var exprs []expr
	var doc *Doc // a definition's comment that still waits for its definition
	for p.tok.kind != tokEOF {
		if p.tok.kind == tokDoc {
			if doc != nil {
				return nil, errorf(doc.Pos, "documentation for '%s' is not followed by the definition", doc.Symbol)
			}
			d, err := parseDoc(p.tok)
			if err != nil {
				return nil, err
			}
			if d.Symbol != "" {
				doc = d
			}
			if err := p.advance(); err != nil {
				return nil, err
			}
			continue
		}
		n, err := p.value()
		if err != nil {
			return nil, err
		}
		if n.kind != nodeObject {
			return nil, errorf(n.pos, "top-level expression must be an object, not %s", n.kind)
		}
		exprs = append(exprs, expr{n, doc})
		doc = nil
	}
	if doc != nil {
		return nil, errorf(doc.Pos, "documentation for '%s' is not followed by the definition", doc.Symbol)
	}
	return exprs, nil
}

func (p *parser) advance() (err error) {
	p.tok, err = p.lex.next()
	return err
}

// accept consumes the token if it is of kind k.
func (p *parser) accept(k tokenKind) (bool, error) {
	if p.tok.kind != k {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) value() (*node, error) {
	t := p.tok
	n := &node{pos: t.pos}
	switch t.kind {
	case tokString:
		n.kind, n.str = nodeString, t.text
	case tokTrue, tokFalse:
		n.kind, n.yes = nodeBool, t.kind == tokTrue
	case '[', '{':
		if p.depth++; p.depth > maxDepth {
			return nil, errorf(t.pos, "expression is nested too deeply")
		}
		defer func() { p.depth-- }()
		if err := p.advance(); err != nil {
			return nil, err
		}
		if t.kind == '[' {
			return n, p.list(n)
		}
		return n, p.object(n)
	default:
		return nil, errorf(t.pos, "expected '{', '[', string, or boolean, not %s", t)
	}
	return n, p.advance()
}

// list parses what follows '['.
func (p *parser) list(n *node) error {
	n.kind = nodeList
	return p.sequence(']', func() error {
		item, err := p.value()
		n.items = append(n.items, item)
		return err
	})
}

// object parses what follows '{'.
func (p *parser) object(n *node) error {
	n.kind = nodeObject
	return p.sequence('}', func() error {
		key := p.tok
		if key.kind != tokString {
			return errorf(key.pos, "expected string or '}', not %s", key)
		}
		if n.get(key.text) != nil {
			return errorf(key.pos, "duplicate key '%s'", key.text)
		}
		if err := p.advance(); err != nil {
			return err
		}
		if ok, err := p.accept(':'); err != nil {
			return err
		} else if !ok {
			return errorf(p.tok.pos, "expected ':', not %s", p.tok)
		}
		v, err := p.value()
		n.members = append(n.members, field{key.text, key.pos, v})
		return err
	})
}

// sequence parses items separated by commas up to and including close.
func (p *parser) sequence(close tokenKind, item func() error) error {
	if ok, err := p.accept(close); ok || err != nil {
		return err
	}
	for {
		if err := item(); err != nil {
			return err
		}
		if ok, err := p.accept(close); ok || err != nil {
			return err
		}
		if ok, err := p.accept(','); err != nil {
			return err
		} else if !ok {
			return errorf(p.tok.pos, "expected ',' or '%c', not %s", close, p.tok)
		}
	}
}
