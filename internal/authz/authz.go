// Package authz decides who may come in: by one name, by a list of rules, or by
// a list in a file that is read again when it has changed. The names are what
// a connection has proved, such as the distinguished name of a TLS certificate.
//
// It starts no goroutines. Every [Authorizer] is for any goroutine; a [File] has
// a lock, a leaf, and reads its file under it.
package authz

import (
	"strings"
	"unicode/utf8"
)

// An Authorizer decides on identities. An error means that it cannot tell,
// which is as good as no.
type Authorizer interface {
	Allowed(identity string) (bool, error)
}

// A Name allows itself and nobody else.
type Name string

// Allowed implements [Authorizer].
func (n Name) Allowed(identity string) (bool, error) { return identity == string(n), nil }

// A Policy is what becomes of an identity.
type Policy string

// The policies.
const (
	Deny  Policy = "deny"
	Allow Policy = "allow"
)

// A Format is how a rule's match is read.
type Format string

// The formats: the identity itself; or with * for any text and ? for any one
// character.
const (
	Exact Format = "exact"
	Glob  Format = "glob"
)

// A Rule is an entry of a [List].
type Rule struct {
	Match  string
	Policy Policy
	Format Format // "" is Exact, unsaid
}

func (r *Rule) matches(identity string) bool {
	if r.Format == Glob {
		return glob(r.Match, identity)
	}
	return r.Match == identity
}

// A List is rules of which the first that matches decides. Policy, "" being
// Deny, is for those whom no rule matches. A List is not changed once it is in
// use.
type List struct {
	Policy Policy
	Rules  []Rule
}

// Allowed implements [Authorizer].
func (l *List) Allowed(identity string) (bool, error) {
	for i := range l.Rules {
		if l.Rules[i].matches(identity) {
			return l.Rules[i].Policy == Allow, nil
		}
	}
	return l.Policy == Allow, nil
}

// glob reports whether s is of pattern's form. Where a star has taken too
// little it takes one character more; only the last star ever needs to, so the
// time is bounded by the product of the lengths.
func glob(pattern, s string) bool {
	star, from := -1, 0 // behind the last star, and where its text ends
	p, i := 0, 0
	for i < len(s) {
		_, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case p < len(pattern) && pattern[p] == '*':
			p++
			star, from = p, i
		case p < len(pattern) && pattern[p] == '?':
			p++
			i += size
		case p < len(pattern) && pattern[p] == s[i]:
			p++
			i++
		case star >= 0:
			_, size = utf8.DecodeRuneInString(s[from:])
			from += size
			p, i = star, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
