package gen

import (
	"bytes"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/backplane-vm/backplane/qapi"
)

// printer collects the body of a Go file.
type printer struct{ bytes.Buffer }

// f prints one line.
func (p *printer) f(format string, a ...any) {
	fmt.Fprintf(p, format, a...)
	p.WriteByte('\n')
}

// imports writes the imports that the body uses.
func (p *printer) imports(out *bytes.Buffer) {
	var std, ours []string
	for _, i := range []string{"context", "fmt", "slices", importCoro, importQObject, importVisit, importQMP} {
		used := regexp.MustCompile(`\b` + path.Base(i) + `\.[A-Z]`)
		if !used.Match(p.Bytes()) {
			continue
		}
		if strings.Contains(i, "/") {
			ours = append(ours, fmt.Sprintf("%q", i))
		} else {
			std = append(std, fmt.Sprintf("%q", i))
		}
	}
	fmt.Fprintf(out, "import (\n%s\n\n%s\n)\n\n", strings.Join(std, "\n"), strings.Join(ours, "\n"))
}

// comment prints text as a Go comment, led by lead.
func (p *printer) comment(lead, text string) {
	text = strings.TrimSpace(lead + schemaText(text))
	for _, line := range strings.Split(text, "\n") {
		p.f("%s", strings.TrimRight("// "+line, " "))
	}
}

// reference is how documentation comments of a schema name members: @name.
var reference = regexp.MustCompile(`@([a-zA-Z0-9_-]+)`)

// schemaText turns the markup of schema documentation into plain words.
func schemaText(text string) string {
	return reference.ReplaceAllString(text, "$1")
}

// definition prints the comment of a definition under its Go name.
func (p *printer) definition(goName, what string, d *qapi.Doc) {
	if d == nil || d.Body == "" {
		p.comment(goName+" is ", "the schema's "+what+".")
		return
	}
	text := d.Body
	if d.Returns != "" {
		text += "\n\nReturns: " + d.Returns
	}
	if d.Errors != "" {
		text += "\n\nErrors:\n" + d.Errors
	}
	if d.Since != "" {
		text += "\n\nSince QEMU " + d.Since + "."
	}
	p.comment(goName+": ", text)
}
