package main

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitWords(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string // nil for an error
	}{
		{"", []string{}},
		{" \t ", []string{}},
		{"query-status", []string{"query-status"}},
		{" a  b=c\t", []string{"a", "b=c"}},
		{`a b="c d" e='f "g"'`, []string{"a", "b=c d", `e=f "g"`}},
		{`a "b\"c" d\ e '\'`, []string{"a", `b"c`, "d e", `\`}},
		{`a ""`, []string{"a", ""}},
		{`a b:={"c": [1, "} "]} d`, []string{"a", `b:={"c": [1, "} "]}`, "d"}},
		{`a b:="x\" y" c`, []string{"a", `b:="x\" y"`, "c"}},
		{`a b:=5 c`, []string{"a", "b:=5", "c"}},
		{`{"execute": "a"}`, []string{`{"execute": "a"}`}},
		{`a {"b": 'c d'} e`, []string{"a", `{"b": 'c d'}`, "e"}},
		{`a "b`, nil},
		{`a 'b`, nil},
	} {
		words, err := splitWords(c.line)
		if got := texts(words); (err != nil) != (c.want == nil) || err == nil && !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", c.line, got, err)
		}
	}
}

// Words lie where they say, and a word put in quotes comes back.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"a b=c", `a:={"b": "c d"} 'x'`, `a\ b "c`, `{"a": [}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, _ := splitWords(line)
		end := 0
		for _, w := range words {
			if w.start < end || w.start >= len(line) {
				t.Fatalf("%q: word %q begins at %d", line, w.text, w.start)
			}
			end = w.start
			if w.plain && !strings.HasPrefix(line[w.start:], w.text) {
				t.Fatalf("%q: there is no %q at %d", line, w.text, w.start)
			}
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(line) + `"`
		if back, err := splitWords(quoted); err != nil || len(back) != 1 || back[0].text != line {
			t.Fatalf("%q in quotes is %q, %v", line, texts(back), err)
		}
	})
}
