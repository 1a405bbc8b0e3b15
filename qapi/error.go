package qapi

import "fmt"

// Pos is a place in a schema: a file, named as the file system given to Load
// knows it, and a line counted from 1. The zero Pos belongs to built-ins.
type Pos struct {
	File string
	Line int
}

// String returns "file:line", or "<built-in>" for the zero Pos.
func (p Pos) String() string {
	if p.File == "" {
		return "<built-in>"
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Error is what is wrong with a schema. Every error of Load and Select that is
// about the schema's text is an *Error; its text is "file:line: message".
type Error struct {
	Pos Pos
	Msg string
}

// Error returns "file:line: message".
func (e *Error) Error() string { return e.Pos.String() + ": " + e.Msg }

func errorf(pos Pos, format string, a ...any) *Error {
	return &Error{Pos: pos, Msg: fmt.Sprintf(format, a...)}
}
