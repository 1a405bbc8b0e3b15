package machine

import (
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/qdev"
)

// backends resolves drive properties in the block graph.
type backends struct{ graph *block.Graph }

// Drive implements [qdev.Backends]: name is a -drive's or a node's. The target
// of the reference is a *block.Backend.
func (b backends) Drive(d qdev.Device, _, name string) (qdev.Ref, error) {
	be, err := b.take(name, d.Dev().CanonicalPath())
	if err != nil {
		return qdev.Ref{}, err
	}
	return qdev.Ref{Name: name, Target: be, Release: be.Close}, nil
}

func (b backends) take(name, path string) (*block.Backend, error) {
	if drive := b.graph.Drive(name); drive != nil {
		return drive, drive.Occupy(path)
	}
	node := b.graph.Lookup(name)
	if node == nil {
		return nil, qdev.ErrNotFound
	}
	return b.graph.Attach(node, path)
}
