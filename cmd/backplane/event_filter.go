package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// An eventFilter is what --wait waits for: EVENT, or EVENT,NAME=VALUE,… where
// a dot leads into the event's data. The zero eventFilter waits for nothing.
type eventFilter struct {
	event string
	want  [][2]string // member and the text of its value
}

// String and Set make it a flag.
func (f *eventFilter) String() string {
	s := f.event
	for _, w := range f.want {
		s += "," + w[0] + "=" + w[1]
	}
	return s
}

func (f *eventFilter) Set(s string) error {
	parts := strings.Split(s, ",")
	if parts[0] == "" {
		return errors.New("no event is named")
	}
	*f = eventFilter{event: parts[0]}
	for _, p := range parts[1:] {
		name, value, ok := strings.Cut(p, "=")
		if !ok || name == "" {
			return fmt.Errorf("'%s' is not NAME=VALUE", p)
		}
		f.want = append(f.want, [2]string{name, value})
	}
	return nil
}

// match tells whether ev is such an event. Strings are compared as they are,
// everything else as JSON.
func (f *eventFilter) match(ev qmp.Received) bool {
	if ev.Name != f.event {
		return false
	}
	for _, w := range f.want {
		v, ok := lookInto(ev.Data, w[0])
		text, isString := v.(string)
		if ok && !isString {
			text = qobject.Encode(v)
		}
		if !ok || text != w[1] {
			return false
		}
	}
	return true
}

func lookInto(d *qobject.Dict, path string) (any, bool) {
	key, rest, deeper := strings.Cut(path, ".")
	v, ok := d.Get(key)
	if !ok || !deeper {
		return v, ok
	}
	inner, ok := v.(*qobject.Dict)
	if !ok {
		return nil, false
	}
	return lookInto(inner, rest)
}

// printEvent writes an event as the line the server sent, but for the order
// of members.
func printEvent(w io.Writer, ev qmp.Received) error {
	d := qobject.Members("event", ev.Name,
		"timestamp", qobject.Members("seconds", ev.Time.Seconds, "microseconds", ev.Time.Microseconds))
	if ev.Data != nil {
		d.Set("data", ev.Data)
	}
	_, err := w.Write(append(qobject.Append(nil, d), '\n'))
	return err
}
