package machine

import (
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/qdev"
)

// backends resolves drive properties in the block graph.
type backends struct{ graph *block.Graph }

// Drive implements [qdev.Backends]: name is a node's or a
// -drive's. The target of the
// reference is a *block.Backend.
func (b backends) Drive(d qdev.Device, _, name string) (qdev.Ref, error) {
	node := b.graph.Find(name)
	if node == nil {
		return qdev.Ref{}, qdev.ErrNotFound
	}
	be, err := b.graph.Attach(node, d.Dev().CanonicalPath())
	if err != nil {
		return qdev.Ref{}, err
	}
	return qdev.Ref{Name: name, Target: be, Release: be.Close}, nil
}
