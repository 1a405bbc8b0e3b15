package qapi

import (
	"regexp"
	"strings"
)

var (
	// A name may carry a downstream prefix (__RFQDN_) and "x-".
	nameSyntax   = regexp.MustCompile(`^(__[a-zA-Z0-9.-]+_)?(x-)?([a-zA-Z][a-zA-Z0-9_-]*)$`)
	valueSyntax  = regexp.MustCompile(`^(__[a-zA-Z0-9.-]+_)?(x-)?([a-zA-Z0-9][a-zA-Z0-9_-]*)$`)
	typeSyntax   = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*$`)
	configSyntax = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
)

func validConfigName(s string) bool { return configSyntax.MatchString(s) }

// stem returns name without prefixes, checked against the general syntax.
func stem(pos Pos, what, name string, syntax *regexp.Regexp) (string, error) {
	m := syntax.FindStringSubmatch(name)
	if m == nil {
		return "", errorf(pos, "%s has an invalid name '%s'", what, name)
	}
	if strings.HasPrefix(strings.ReplaceAll(m[3], "-", "_"), "q_") {
		return "", errorf(pos, "%s uses the reserved name '%s'", what, name)
	}
	return m[3], nil
}

func checkTypeName(pos Pos, meta, name string) error {
	s, err := stem(pos, meta, name, nameSyntax)
	switch {
	case err != nil:
		return err
	case !typeSyntax.MatchString(s):
		return errorf(pos, "name of %s '%s' must be in CamelCase", meta, name)
	case strings.HasSuffix(s, "List"):
		return errorf(pos, "name of %s '%s' must not end in 'List'", meta, name)
	}
	return nil
}

func checkEventName(pos Pos, name string) error {
	s, err := stem(pos, "event", name, nameSyntax)
	if err != nil {
		return err
	}
	if s != strings.ToUpper(s) || strings.Contains(s, "-") {
		return errorf(pos, "name of event '%s' must be in UPPER_CASE with underscores", name)
	}
	return nil
}

func (p *Pragma) checkCommandName(pos Pos, name string) error {
	s, err := stem(pos, "command", name, nameSyntax)
	if err != nil {
		return err
	}
	if p.CommandNameExceptions[name] {
		return nil
	}
	if s != strings.ToLower(s) || strings.Contains(s, "_") {
		return errorf(pos, "name of command '%s' must be in lower-case with hyphens", name)
	}
	return nil
}

// checkMemberName checks the name of a member, value or branch of owner.
func (p *Pragma) checkMemberName(pos Pos, owner, what, name string, enum bool) error {
	syntax := nameSyntax
	if enum {
		syntax = valueSyntax
	}
	s, err := stem(pos, what, name, syntax)
	if err != nil {
		return err
	}
	if !enum {
		folded := strings.ReplaceAll(strings.ToLower(s), "-", "_")
		if folded == "u" || strings.HasPrefix(folded, "has_") {
			return errorf(pos, "%s uses the reserved name '%s'", what, name)
		}
	}
	if p.MemberNameExceptions[owner] {
		return nil
	}
	if s != strings.ToLower(s) || strings.Contains(s, "_") {
		return errorf(pos, "name of %s '%s' must be in lower-case with hyphens", what, name)
	}
	return nil
}

// foldName maps names that may not coexist onto one: members must differ by
// more than the choice of hyphen or underscore.
func foldName(name string) string { return strings.NewReplacer("-", "_", ".", "_").Replace(name) }
