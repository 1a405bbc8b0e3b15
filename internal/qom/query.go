package qom

import "github.com/backplane-vm/backplane/qapi/qerr"

// List is the command qom-list: the properties of the object at path.
func (t *Tree) List(path string) ([]*Property, error) {
	o, ambiguous := t.Resolve(path)
	if ambiguous {
		return nil, qerr.New("Path '%s' is ambiguous", path)
	}
	if o == nil {
		return nil, notFound(path)
	}
	return o.Properties(), nil
}

// Get is the command qom-get. Unlike [Tree.List] it says of an ambiguous path
// that there is no such device.
func (t *Tree) Get(path, property string) (any, error) {
	o, _ := t.Resolve(path)
	if o == nil {
		return nil, notFound(path)
	}
	return o.Get(property)
}

// Set is the command qom-set; v is a JSON value.
func (t *Tree) Set(path, property string, v any) error {
	o, _ := t.Resolve(path)
	if o == nil {
		return notFound(path)
	}
	return o.Set(property, JSON(v))
}
