package monitor

import (
	"strings"

	"github.com/backplane-vm/backplane/internal/backend"
	limits "github.com/backplane-vm/backplane/internal/block/throttle"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// groupLimits are those that a throttle-group is made with, checked for what can
// be wrong with each of them.
func groupLimits(p *api.ThrottleGroupProperties) (limits.Limits, error) {
	l := limits.Unlimited()
	d := p.QObject().(*qobject.Dict)
	for _, name := range d.Keys() {
		v, _ := d.Get(name)
		switch {
		case name == "limits":
			if err := backend.MergeLimits(&l, v.(*qobject.Dict)); err != nil {
				return l, err
			}
		case strings.HasPrefix(name, "x-"):
			if err := backend.SetLimit(&l, name, v.(int64)); err != nil {
				return l, err
			}
		}
	}
	return l, nil
}

func newThrottleGroup(m *machine.Machine, id string, p *api.ThrottleGroupProperties) (*backend.ThrottleGroup, error) {
	l, err := groupLimits(p)
	if err != nil {
		return nil, err
	}
	return backend.NewThrottleGroup(m.Blocks.Groups(), id, l)
}
