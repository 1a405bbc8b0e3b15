package qapi

import (
	"regexp"
	"strings"
)

// Doc is a definition's documentation comment, taken apart. Texts keep their
// line breaks; indentation common to a section is removed.
type Doc struct {
	Symbol   string
	Body     string
	Args     []DocEntry // members, values or arguments, in order
	Features []DocEntry
	Returns  string
	Errors   string
	Since    string

	Pos      Pos
	returned bool // a Returns section exists, be it empty
	errored  bool
}

// DocEntry is the text on one argument, member, value or feature.
type DocEntry struct {
	Name string
	Text string
	Pos  Pos
}

// Arg returns the text documented for the member or argument name, or "".
func (d *Doc) Arg(name string) string {
	if d != nil {
		if e := findEntry(d.Args, name); e != nil {
			return e.Text
		}
	}
	return ""
}

func findEntry(list []DocEntry, name string) *DocEntry {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

var (
	symbolLine = regexp.MustCompile(`^@([a-zA-Z0-9_.-]+):$`)
	entryLine  = regexp.MustCompile(`^@([a-zA-Z0-9_.-]+):(?:\s+(.*))?$`)
	tagLine    = regexp.MustCompile(`^(Returns|Errors|Since|TODO|Features):(?:\s+(.*))?$`)
)

// docParser collects lines into the section that is open.
type docParser struct {
	doc      *Doc
	features bool     // entries now describe features
	lines    []string // of the open section
	finish   func(text string)
}

// parseDoc takes a ## block apart. A block that does not begin with "@NAME:"
// is free-form: it documents no definition and its Symbol is empty.
func parseDoc(t token) (*Doc, error) {
	d := &Doc{Pos: t.pos}
	lines := strings.Split(t.text, "\n")
	if !strings.HasPrefix(lines[0], "@") {
		d.Body = t.text
		return d, nil
	}
	m := symbolLine.FindStringSubmatch(lines[0])
	if m == nil {
		return nil, errorf(Pos{t.pos.File, t.pos.Line + 1}, "line should end with ':' after the definition's name")
	}
	d.Symbol = m[1]
	p := &docParser{doc: d, finish: func(s string) { d.Body = s }}
	for i, line := range lines[1:] {
		if err := p.line(line, Pos{t.pos.File, t.pos.Line + 2 + i}); err != nil {
			return nil, err
		}
	}
	p.close()
	return d, nil
}

// line takes one line without its "# ".
func (p *docParser) line(line string, pos Pos) error {
	if m := tagLine.FindStringSubmatch(line); m != nil {
		return p.tag(m[1], m[2], pos)
	}
	if strings.HasPrefix(line, "@") {
		if m := entryLine.FindStringSubmatch(line); m != nil {
			return p.entry(m[1], m[2], pos)
		}
	}
	p.lines = append(p.lines, line)
	return nil
}

func (p *docParser) tag(name, text string, pos Pos) error {
	p.close()
	d := p.doc
	switch name {
	case "Features":
		if p.features {
			return errorf(pos, "duplicated 'Features:' line")
		}
		if text != "" {
			return errorf(pos, "unexpected text after 'Features:'")
		}
		p.features = true
		return nil
	case "Returns":
		if d.returned {
			return errorf(pos, "duplicated 'Returns' section")
		}
		d.returned, p.finish = true, func(s string) { d.Returns = s }
	case "Errors":
		if d.errored {
			return errorf(pos, "duplicated 'Errors' section")
		}
		d.errored, p.finish = true, func(s string) { d.Errors = s }
	case "Since":
		if d.Since != "" {
			return errorf(pos, "duplicated 'Since' section")
		}
		if text == "" {
			return errorf(pos, "'Since' section is empty")
		}
		d.Since = text
		return nil
	}
	p.open(text)
	return nil
}

func (p *docParser) entry(name, text string, pos Pos) error {
	p.close()
	list := &p.doc.Args
	if p.features {
		list = &p.doc.Features
	}
	if findEntry(*list, name) != nil {
		return errorf(pos, "'%s' parameter name is duplicated in the documentation", name)
	}
	*list = append(*list, DocEntry{Name: name, Pos: pos})
	i := len(*list) - 1
	p.finish = func(s string) { (*list)[i].Text = s }
	p.open(text)
	return nil
}

// open starts a section's text; a first line that is empty is left out.
func (p *docParser) open(text string) {
	if text != "" {
		p.lines = append(p.lines, text)
	}
}

// close hands the open section's text over and opens none.
func (p *docParser) close() {
	if p.finish != nil {
		p.finish(dedent(p.lines))
	}
	p.lines, p.finish = nil, nil
}

// dedent trims every line and drops blank lines at both ends.
func dedent(lines []string) string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.TrimSpace(l)
	}
	return strings.Trim(strings.Join(out, "\n"), "\n")
}
