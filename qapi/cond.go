package qapi

import "strings"

// Cond is the condition of an 'if': a tree over configuration names. Exactly
// one of its fields is set. A nil *Cond always holds.
type Cond struct {
	Name string  // a configuration name is defined
	All  []*Cond // every one holds
	Any  []*Cond // at least one holds
	Not  *Cond   // it does not hold
}

// Holds evaluates the condition; defined says which names are configured.
func (c *Cond) Holds(defined func(name string) bool) bool {
	switch {
	case c == nil:
		return true
	case c.Name != "":
		return defined(c.Name)
	case c.Not != nil:
		return !c.Not.Holds(defined)
	case c.All != nil:
		for _, x := range c.All {
			if !x.Holds(defined) {
				return false
			}
		}
		return true
	}
	for _, x := range c.Any {
		if x.Holds(defined) {
			return true
		}
	}
	return false
}

// String writes the condition as people do: "A && (B || !C)".
func (c *Cond) String() string {
	switch {
	case c == nil:
		return ""
	case c.Name != "":
		return c.Name
	case c.Not != nil:
		return "!" + c.Not.String()
	case c.All != nil:
		return joinConds(c.All, " && ")
	}
	return joinConds(c.Any, " || ")
}

func joinConds(conds []*Cond, op string) string {
	parts := make([]string, len(conds))
	for i, c := range conds {
		parts[i] = c.String()
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return "(" + strings.Join(parts, op) + ")"
}

// parseCond reads the value of an 'if' key.
func parseCond(n *node) (*Cond, error) {
	switch n.kind {
	case nodeString:
		if !validConfigName(n.str) {
			return nil, errorf(n.pos, "'if' condition '%s' is not a valid identifier", n.str)
		}
		return &Cond{Name: n.str}, nil
	case nodeObject:
		if len(n.members) != 1 {
			return nil, errorf(n.pos, "'if' condition object must have exactly one of 'all', 'any', 'not'")
		}
	default:
		return nil, errorf(n.pos, "'if' condition must be a string or an object")
	}
	switch m := n.members[0]; m.key {
	case "not":
		inner, err := parseCond(m.value)
		if err != nil {
			return nil, err
		}
		return &Cond{Not: inner}, nil
	case "all", "any":
		list, err := parseConds(m)
		if err != nil {
			return nil, err
		}
		if m.key == "all" {
			return &Cond{All: list}, nil
		}
		return &Cond{Any: list}, nil
	default:
		return nil, errorf(m.pos, "'if' condition has unknown key '%s'", m.key)
	}
}

func parseConds(m field) ([]*Cond, error) {
	if m.value.kind != nodeList || len(m.value.items) == 0 {
		return nil, errorf(m.pos, "'%s' in an 'if' condition must be a non-empty array", m.key)
	}
	var list []*Cond
	for _, item := range m.value.items {
		c, err := parseCond(item)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}
