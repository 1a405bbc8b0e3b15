package main

import (
	"context"
	"fmt"
	"strings"
)

const promptHelp = `NAME [ARG...]        run a command; {"execute": ...} is one too
  an ARG is          NAME=VALUE, OBJECT.NAME=VALUE, LIST.0=VALUE or NAME:=JSON
help NAME [ARG...]   what a command takes, or an event holds; ARGs select a variant
Tab completes, ctrl-C clears the line or gives up waiting, ctrl-D ends.

Commands of this server:
`

// explain returns the text for 'help WORDS'.
func (v *vocabulary) explain(ctx context.Context, words []string, width int) (string, error) {
	s, err := v.schema(ctx)
	if err != nil {
		return "", err
	}
	if len(words) == 0 {
		return promptHelp + columns(s.names("command"), width), nil
	}
	e := s.lookup("command", words[0])
	if e == nil {
		e = s.lookup("event", words[0])
	}
	if e == nil {
		return "", &syntaxError{fmt.Errorf("the server has no command and no event '%s'", words[0])}
	}
	given, err := parseArguments(words[1:])
	if err != nil {
		return "", &syntaxError{err}
	}
	fields := s.fields(s.entities[e.ArgType], given)
	if e.Meta == "command" {
		if fields, err = v.fields(ctx, e.Name, given); err != nil {
			return "", err
		}
	}
	var b strings.Builder
	s.explainEntity(&b, e, fields, given)
	return b.String(), nil
}

// explainEntity writes what a command or an event is.
func (s *schema) explainEntity(b *strings.Builder, e *entity, fields []field, given *argument) {
	notes := e.Features
	if e.AllowOOB {
		notes = append([]string{"may run out of band"}, notes...)
	}
	b.WriteString(e.Name)
	if e.Meta == "event" {
		b.WriteString(" (event)")
	}
	if len(notes) > 0 {
		b.WriteString(" (" + strings.Join(notes, ", ") + ")")
	}
	b.WriteByte('\n')
	s.explainFields(b, fields, given, "")
	if arg := s.entities[e.ArgType]; arg != nil && arg.Tag != "" {
		if _, chosen := given.leaf(arg.Tag); !chosen {
			fmt.Fprintf(b, "  more with %s given, as in: help %s %s=...\n", arg.Tag, e.Name, arg.Tag)
		}
	}
	if ret := s.entities[e.RetType]; ret != nil && (ret.Meta != "object" || len(ret.Members) > 0) {
		fmt.Fprintf(b, "  returns %s\n", s.typeName(ret))
	}
}

// explainFields writes a line for each field, and below it those inside if
// something inside is given.
func (s *schema) explainFields(b *strings.Builder, fields []field, given *argument, prefix string) {
	for _, f := range fields {
		line := fmt.Sprintf("  %-24s %s", prefix+f.name, s.typeName(f.typ))
		if f.optional {
			line += ", optional"
		}
		if f.note != "" {
			line += " (" + f.note + ")"
		}
		b.WriteString(line + "\n")
		if n := given.below[f.name]; n != nil && n.below != nil {
			inner, there := s.inside(fields, given, f.name)
			s.explainFields(b, inner, there, prefix+f.name+".")
		}
	}
}

// typeName describes a type in a few words. Types inside an object stay out,
// and so does what lies inside a list more than once.
func (s *schema) typeName(t *entity) string {
	if t == nil {
		return "any"
	}
	switch t.Meta {
	case "enum":
		return strings.Join(t.enum(), "|")
	case "array":
		if elem := s.entities[t.ElementType]; elem != nil && elem.Meta != "array" {
			return "list of " + s.typeName(elem)
		}
		return "list"
	case "object":
		var names []string
		for _, m := range t.Members {
			names = append(names, m.Name)
		}
		if t.Tag != "" {
			names = append(names, "...")
		}
		return "{" + strings.Join(names, ", ") + "}"
	case "alternate":
		var names []string
		for _, m := range t.Members {
			switch branch := s.entities[m.Type]; {
			case branch == nil || branch.Meta == "alternate":
			case branch.Meta == "array":
				names = append(names, "list") // whose elements may be this alternate
			default:
				names = append(names, s.typeName(branch))
			}
		}
		return strings.Join(names, " or ")
	}
	return t.Name
}

// columns sets words in as many columns as a terminal has room for, downwards.
func columns(words []string, width int) string {
	widest := 1
	for _, w := range words {
		widest = max(widest, len(w)+2)
	}
	across := max(1, width/widest)
	rows := (len(words) + across - 1) / across
	var b strings.Builder
	for row := range rows {
		var line strings.Builder
		for i := row; i < len(words); i += rows {
			fmt.Fprintf(&line, "%-*s", widest, words[i])
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
