package docs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane"
	"github.com/backplane-vm/backplane/internal/launch"
	"github.com/backplane-vm/backplane/internal/machine/virt"
	"github.com/backplane-vm/backplane/qapi"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

var rewrite = flag.Bool("rewrite", false, "write the tables of compat.md anew")

const page = "compat.md"

// TestTables holds the tables of compat.md to the program. A table stands
// between <!-- table NAME --> and <!-- end -->.
func TestTables(t *testing.T) {
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	was := string(raw)
	text := was
	schema, err := qapi.Load(os.DirFS("../qapi/schema"), "qapi-schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, table := range map[string]string{
		"commands": commands(schema), "events": events(schema), "coverage": coverage(t, schema), "transcripts": transcripts(t),
		"devices": devices(t), "hmp": human(t), "flags": flags(t),
	} {
		if text, err = replace(text, name, table); err != nil {
			t.Fatal(err)
		}
	}
	if text == was {
		return
	}
	if !*rewrite {
		t.Fatalf("%s is not what the program says; run go generate ./docs", page)
	}
	if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// replace puts table where the table called name stands in text.
func replace(text, name, table string) (string, error) {
	begin, end := "<!-- table "+name+" -->\n", "<!-- end -->"
	head, rest, ok := strings.Cut(text, begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return "", fmt.Errorf("%s has no table %s", page, name)
	}
	return head + begin + table + end + tail, nil
}

// transcripts lists what is said otherwise in recorded conversations.
func transcripts(t *testing.T) string {
	raw, err := os.ReadFile("../test/testdata/differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| conversation | lines that differ | why |\n|---|---|---|\n")
	for line := range strings.Lines(string(raw)) {
		head, reason, _ := strings.Cut(strings.TrimSpace(line), " ")
		name, numbers, ok := strings.Cut(head, ":")
		switch {
		case !ok || head[0] == '#' || head[0] == '-':
			continue
		case numbers == "runs-on":
			numbers = "the end"
		case strings.Count(numbers, ",") > 8:
			numbers = fmt.Sprintf("%d of them", strings.Count(numbers, ",")+1)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", name, strings.ReplaceAll(numbers, ",", ", "), reason)
	}
	return b.String()
}

// commands says where each command runs.
func commands(s *qapi.Schema) string {
	var b strings.Builder
	b.WriteString("| command | runs | remarks |\n|---|---|---|\n")
	for _, d := range s.Definitions {
		c, ok := d.(*qapi.Command)
		if !ok {
			continue
		}
		where := "iohandler context"
		switch {
		case c.Coroutine:
			where = "coroutine, iohandler context"
		case c.AllowOOB:
			where = "iohandler context; the reader's thread with `exec-oob`"
		}
		var remarks []string
		if c.AllowPreconfig {
			remarks = append(remarks, "allow-preconfig")
		}
		for _, f := range c.Features {
			remarks = append(remarks, f.Name)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, where, strings.Join(remarks, ", "))
	}
	return b.String()
}

func events(s *qapi.Schema) string {
	var names []string
	for _, d := range s.Definitions {
		if e, ok := d.(*qapi.Event); ok {
			names = append(names, "`"+e.Name+"`")
		}
	}
	return strings.Join(names, ", ") + "\n"
}

// devices lists what -device takes, with properties.
func devices(t *testing.T) string {
	registry, err := virt.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| device | bus | hot-plug | properties |\n|---|---|---|---|\n")
	for _, c := range registry.Creatable() {
		props, err := registry.ListProperties(c.Name)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range props {
			if !p.Fixed {
				names = append(names, p.Name)
			}
		}
		hot := "yes"
		if c.NotHotpluggable {
			hot = "no"
		}
		name := "`" + c.Name + "`"
		if c.Alias != "" {
			name += " (`" + c.Alias + "`)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, c.BusType, hot, strings.Join(names, " "))
	}
	return b.String()
}

// human asks a machine's human monitor for its commands.
func human(t *testing.T) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	m, err := backplane.New(backplane.Config{Args: []string{"-M", "virt", "-S", "-nodefaults"}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := m.QMP(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b strings.Builder
	b.WriteString("```\n")
	for _, line := range []string{"help", "info"} {
		var out string
		if err := c.Execute(ctx, "human-monitor-command", qobject.Members("command-line", line), &out); err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.ReplaceAll(out, "\r\n", "\n"))
	}
	return b.String() + "```\n"
}

// flags is the help of the command line.
func flags(t *testing.T) string {
	_, err := launch.New([]string{"-help"}, launch.Options{})
	var h *launch.Help
	if !errors.As(err, &h) {
		t.Fatal(err)
	}
	return "```\n" + h.Text + "```\n"
}

// TestLinks: every page that a page refers to is there.
func TestLinks(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".md") {
			continue
		}
		raw, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(raw), "](")[1:] {
			target, _, _ := strings.Cut(part, ")")
			target, _, _ = strings.Cut(target, "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", f.Name(), err)
			}
		}
	}
}
