package qobject

import (
	"iter"
	"slices"
)

// Dict is a JSON object. It remembers the order in which members were first
// set, which is the order of [Dict.Keys] and [Dict.All]; the encoder uses
// QEMU's hash order instead (see [Dict.Wire]).
//
// The zero Dict is empty and ready to use, and the reading methods take a nil
// *Dict for an empty one.
type Dict struct {
	members []member
	index   map[string]int // key to position; kept only above indexFrom members
}

type member struct {
	key    string
	value  any
	bucket uint16
}

// indexFrom is the size from which a Dict keeps an index. Below it a scan is
// faster than a map, and nearly every object on the wire is below it; above it
// the index keeps a hostile object of a million members linear.
const indexFrom = 16

// NewDict returns an empty Dict.
func NewDict() *Dict { return &Dict{} }

// usualSize is how many members most objects on the wire have, at most.
const usualSize = 4

// newSmallDict is NewDict for an object of about usualSize: one allocation for the
// Dict and its members.
func newSmallDict() *Dict {
	d := &struct {
		Dict
		room [usualSize]member
	}{}
	d.members = d.room[:0]
	return &d.Dict
}

// Members returns a Dict with the given members. It panics if the list is not
// key, value, key, value…: it is for literals in code, not for input.
func Members(keysAndValues ...any) *Dict {
	if len(keysAndValues)%2 != 0 {
		panic("qobject: Members: a key without a value")
	}
	d := &Dict{members: make([]member, 0, len(keysAndValues)/2)}
	for i := 0; i < len(keysAndValues); i += 2 {
		d.Set(keysAndValues[i].(string), keysAndValues[i+1])
	}
	return d
}

// Len returns the number of members.
func (d *Dict) Len() int {
	if d == nil {
		return 0
	}
	return len(d.members)
}

// Has tells whether there is a member called key.
func (d *Dict) Has(key string) bool { return d.find(key) >= 0 }

// Get returns the member called key, and whether there is one.
func (d *Dict) Get(key string) (any, bool) {
	if i := d.find(key); i >= 0 {
		return d.members[i].value, true
	}
	return nil, false
}

// Set adds a member, or gives an existing one a new value in its old place.
func (d *Dict) Set(key string, v any) {
	if i := d.find(key); i >= 0 {
		d.members[i].value = v
		return
	}
	d.add(key, v)
}

// Delete removes the member called key and tells whether there was one. It
// takes time linear in the size of d.
func (d *Dict) Delete(key string) bool {
	i := d.find(key)
	if i < 0 {
		return false
	}
	d.members = slices.Delete(d.members, i, i+1)
	d.index = nil
	if len(d.members) >= indexFrom {
		d.buildIndex()
	}
	return true
}

// Clone returns a copy of d that shares the member values.
func (d *Dict) Clone() *Dict {
	c := &Dict{}
	for k, v := range d.All() {
		c.add(k, v)
	}
	return c
}

// Keys returns the names of the members in the order they were first set.
func (d *Dict) Keys() []string {
	keys := make([]string, 0, d.Len())
	for k := range d.All() {
		keys = append(keys, k)
	}
	return keys
}

// All iterates over the members in the order they were first set. The Dict
// must not gain or lose members meanwhile.
func (d *Dict) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		if d == nil {
			return
		}
		for i := range d.members {
			if !yield(d.members[i].key, d.members[i].value) {
				return
			}
		}
	}
}

// find returns the position of key, or -1.
func (d *Dict) find(key string) int {
	if d == nil {
		return -1
	}
	if d.index != nil {
		if i, ok := d.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range d.members {
		if d.members[i].key == key {
			return i
		}
	}
	return -1
}

// add appends a member whose key is known to be new.
func (d *Dict) add(key string, v any) {
	if d.members == nil {
		d.members = make([]member, 0, usualSize)
	}
	d.members = append(d.members, member{key: key, value: v, bucket: bucketOf(key)})
	switch {
	case d.index != nil:
		d.index[key] = len(d.members) - 1
	case len(d.members) >= indexFrom:
		d.buildIndex()
	}
}

func (d *Dict) buildIndex() {
	d.index = make(map[string]int, 2*len(d.members))
	for i := range d.members {
		d.index[d.members[i].key] = i
	}
}
