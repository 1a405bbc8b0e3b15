package authz

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qapi/visit"
)

func TestGlob(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"*c", "abc", true},
		{"a*c", "abcbc", true}, {"a*b", "abc", false}, {"a?c", "abc", true}, {"a?c", "aüc", true}, {"a??c", "aüc", false},
		{"?", "", false}, {"**", "x", true}, {"*,O=Acme,*", "C=GB,O=Acme,CN=a", true}, {"*,O=Acme,*", "C=GB,O=Acmes,CN=a", false},
		{"*ab*ab", "abxab", true}, {"*\xff", "a\xff", true}, {"a\\*", "a*", false},
	} {
		if got := glob(c.pattern, c.s); got != c.want {
			t.Errorf("glob(%q, %q) is %v", c.pattern, c.s, got)
		}
	}
	if glob(strings.Repeat("*a", 2000)+"b", strings.Repeat("a", 20000)) {
		t.Error("what ends in b matched what does not")
	}
}

func TestList(t *testing.T) {
	l := &List{Policy: Deny, Rules: []Rule{
		{Match: "CN=mallory,*", Policy: Deny, Format: Glob},
		{Match: "CN=*", Policy: Allow, Format: Glob},
		{Match: "O=*", Policy: Allow},
	}}
	for name, want := range map[string]bool{
		"CN=alice,O=Acme": true, "CN=mallory,O=Acme": false, "O=*": true, "O=Acme": false, "": false,
	} {
		if got, err := l.Allowed(name); got != want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if ok, _ := (&List{}).Allowed("x"); ok {
		t.Error("an empty list lets in")
	}
	if ok, _ := (&List{Policy: Allow}).Allowed("x"); !ok {
		t.Error("an empty list that allows does not")
	}
	if ok, _ := Name("a").Allowed("b"); ok {
		t.Error("a name allows another")
	}
}

func decode(text string) (*List, error) {
	v, err := qobject.ParseJSON(text)
	if err != nil {
		return nil, err
	}
	in := visit.New(v, visit.JSON)
	l := DecodeList(in)
	return l, in.Err()
}

func TestDecode(t *testing.T) {
	l, err := decode(`{"policy":"allow","rules":[{"match":"a","policy":"deny"},{"match":"b","policy":"allow","format":"glob"}]}`)
	if err != nil || l.Policy != Allow || len(l.Rules) != 2 || l.Rules[1] != (Rule{"b", Allow, Glob}) {
		t.Errorf("%+v, %v", l, err)
	}
	for i, want := range []string{`{"match": "a", "policy": "deny"}`, `{"format": "glob", "match": "b", "policy": "allow"}`} {
		got := string(qobject.Append(nil, l.Rules[i].QObject()))
		if v, err := qobject.ParseJSON(want); err != nil || got != string(qobject.Append(nil, v)) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for text, want := range map[string]string{
		`{"rules":7}`:               "Invalid parameter type for 'rules', expected: array",
		`{"rules":[{"match":"a"}]}`: "Parameter 'rules[0].policy' is missing",
		`{"policy":"foo"}`:          "Parameter 'policy' does not accept value 'foo'",
		`{"rules":[{"match":"a","policy":"deny","x":1}]}`:            "Parameter 'rules[0].x' is unexpected",
		`{"rules":[{"match":"a","policy":"deny","format":"regex"}]}`: "Parameter 'format' does not accept value 'regex'",
	} {
		if _, err := decode(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "list.json")
	age := time.Unix(1e9, 0)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		age = age.Add(time.Hour)
		if err := os.Chtimes(name, age, age); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenFile(name, true); err == nil || err.Error() != "Unable to read '"+name+"': Failed to open file “"+name+"”: No such file or directory" {
		t.Error(err)
	}
	write(`[]`)
	if _, err := OpenFile(name, true); err == nil || err.Error() != "File '"+name+"' must contain a JSON object" {
		t.Error(err)
	}
	write(`{"rules":[{"match":"a","policy":"allow"}]}`)
	fresh, err := OpenFile(name, true)
	if err != nil {
		t.Fatal(err)
	}
	stale, err := OpenFile(name, false)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(identity string, wantFresh, wantStale bool) {
		t.Helper()
		if got, _ := fresh.Allowed(identity); got != wantFresh {
			t.Errorf("fresh: %s is %v", identity, got)
		}
		if got, err := stale.Allowed(identity); got != wantStale || err != nil {
			t.Errorf("stale: %s is %v, %v", identity, got, err)
		}
	}
	ask("a", true, true)
	ask("b", false, false)
	write(`{"rules":[{"match":"b","policy":"allow"}]}`)
	ask("a", false, true)
	ask("b", true, false)
	write(`{"rules":`)
	ask("b", false, false)
	if _, err := fresh.Allowed("b"); err == nil {
		t.Error("a broken file is no error")
	}
	write(`{"policy":"allow"}`)
	ask("b", true, false)
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	ask("b", false, false)
}

func FuzzList(f *testing.F) {
	f.Add(`{"rules":[{"match":"a*","policy":"allow","format":"glob"}]}`, "abc")
	f.Add(`{"rules":[{"match":"?*?","policy":"deny","format":"glob"}],"policy":"allow"}`, "ü")
	f.Fuzz(func(t *testing.T, text, identity string) {
		l, err := decode(text)
		if err != nil {
			return
		}
		got, err := l.Allowed(identity)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range l.Rules { // what decides is the first that matches
			if r.matches(identity) {
				if got != (r.Policy == Allow) {
					t.Fatalf("%v, but rule %+v matches", got, r)
				}
				return
			}
		}
		if got != (l.Policy == Allow) {
			t.Fatalf("%v, no rule matches", got)
		}
	})
}
