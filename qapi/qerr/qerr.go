// Package qerr holds the error that crosses the management plane: a class
// that programs match on and a description that people read.
//
// It is a leaf: every layer that can fail towards a QMP or HMP client imports
// it, and it imports nothing of backplane. It starts no goroutines and takes
// no locks; values are immutable once made.
package qerr

import (
	"errors"
	"fmt"
)

// Class is the machine-readable part of a QMP error (member "class").
// Clients match on it; all but GenericError exist for compatibility.
type Class string

// The error classes of QMP, as QEMU's schema lists them (enum QapiErrorClass).
const (
	GenericError    Class = "GenericError"
	CommandNotFound Class = "CommandNotFound"
	DeviceNotActive Class = "DeviceNotActive"
	DeviceNotFound  Class = "DeviceNotFound"
	KVMMissingCap   Class = "KVMMissingCap"
)

// Error is an error with a QMP class. Desc is one line in QEMU's wording.
// Hint, when set, is more text for a person (it may span lines, and each line
// ends in a newline); it is printed by HMP and on the command line and never
// sent over QMP.
type Error struct {
	Class Class
	Desc  string
	Hint  string
}

// Error returns Desc alone.
func (e *Error) Error() string { return e.Desc }

// WithHint returns a copy of e that carries hint.
func (e *Error) WithHint(format string, a ...any) *Error {
	c := *e
	c.Hint += fmt.Sprintf(format, a...)
	return &c
}

// New returns an error of class GenericError.
func New(format string, a ...any) *Error { return Newc(GenericError, format, a...) }

// Newc returns an error of class c.
func Newc(c Class, format string, a ...any) *Error {
	return &Error{Class: c, Desc: fmt.Sprintf(format, a...)}
}

// Prepend returns err with its description prefixed by prefix; class and hint
// stay. An err that is no *Error becomes a GenericError.
func Prepend(err error, format string, a ...any) *Error {
	e := *From(err)
	e.Desc = fmt.Sprintf(format, a...) + e.Desc
	return &e
}

// From returns the *Error inside err (errors.As), or a GenericError with
// err's text. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Class: GenericError, Desc: err.Error()}
}
