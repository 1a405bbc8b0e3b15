package backend

import (
	"math"
	"strings"

	"github.com/backplane-vm/backplane/internal/block/throttle"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

const throttleType = "throttle-group"

// ThrottleGroup stands for a group of disks that share limits.
type ThrottleGroup struct {
	qom.Object
	group *throttle.Group
}

// NewThrottleGroup makes the group called id.
func NewThrottleGroup(groups *throttle.Set, id string, l throttle.Limits) (*ThrottleGroup, error) {
	group, err := groups.New(id)
	if err != nil {
		return nil, err
	}
	if err := l.Check(); err != nil {
		group.Disown()
		return nil, err
	}
	group.SetLimits(l)
	t := &ThrottleGroup{group: group}
	t.Init(throttleType, t, throttleClass(), group.Disown)
	return t, nil
}

// Used reports whether disks are in the group.
func (t *ThrottleGroup) Used() bool { return t.group.Members() > 0 }

// MergeLimits sets what d has of the members of QAPI's ThrottleLimits. What
// comes out is checked; on error l may have changed.
func MergeLimits(l *throttle.Limits, d *qobject.Dict) error {
	known := make(map[string]bool)
	for _, name := range throttle.Names() {
		known[name] = true
		x, ok := d.Get(name)
		if !ok {
			continue
		}
		v, err := qom.JSON(x).Int("limits."+name, 64)
		if err != nil {
			return err
		}
		if throttle.IsLength(name) && v > math.MaxUint32 {
			return qerr.New("%s value must be in the range [0, %d]", name, uint32(math.MaxUint32))
		}
		*l.Named(name) = uint64(v)
	}
	for _, name := range d.Keys() {
		if !known[name] {
			return qerr.New("Parameter 'limits.%s' is unexpected", name)
		}
	}
	return l.Check()
}

// SetLimit sets the limit of the property called name, one that begins with
// "x-". Whether all of them go together is checked later.
func SetLimit(l *throttle.Limits, name string, v int64) error {
	switch {
	case v < 0:
		return qerr.New("Property values cannot be negative")
	case throttle.IsLength(name) && v > math.MaxUint32:
		return qerr.New("%s value must be in therange [0, %d]", name, uint32(math.MaxUint32)) // QEMU's spelling
	}
	*l.Named(strings.TrimPrefix(name, "x-")) = uint64(v)
	return nil
}

func groupOf(o *qom.Object) *throttle.Group { return o.Self().(*ThrottleGroup).group }

// throttleClass has the properties in the order in which QEMU lists them. All
// limits are set at once later on; one by one only when the object is made.
func throttleClass() properties {
	var list properties
	for _, name := range []string{
		"bps-write-max-length", "iops-total-max-length", "iops-size", "", "bps-total", "iops-read-max-length", "bps-write",
		"iops-write-max-length", "bps-read-max", "iops-read-max", "bps-total-max", "bps-read-max-length", "iops-read", "bps-read",
		"bps-write-max", "iops-total-max", "iops-total", "iops-write", "bps-total-max-length", "iops-write-max",
	} {
		if name == "" {
			list = append(list, &qom.Property{Name: "limits", Type: "ThrottleLimits", Get: getLimits, Set: setLimits})
			continue
		}
		list = append(list, &qom.Property{
			Name: "x-" + name, Type: "int",
			Get: func(o *qom.Object) (any, error) {
				l := groupOf(o).Limits()
				return int64(*l.Named(name)), nil
			},
			Set: func(*qom.Object, qom.Input) error { return qerr.New("Property cannot be set after initialization") },
		})
	}
	return list
}

func getLimits(o *qom.Object) (any, error) {
	l, d := groupOf(o).Limits(), qobject.NewDict()
	for _, name := range throttle.Names() {
		d.Set(name, int64(*l.Named(name)))
	}
	return d, nil
}

func setLimits(o *qom.Object, in qom.Input) error {
	d, ok := in.Value.(*qobject.Dict)
	if !ok {
		return qerr.New("Invalid parameter type for 'limits', expected: object")
	}
	l := groupOf(o).Limits()
	if err := MergeLimits(&l, d); err != nil {
		return err
	}
	groupOf(o).SetLimits(l)
	return nil
}
