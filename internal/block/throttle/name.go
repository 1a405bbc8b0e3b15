package throttle

import "strings"

// The parts of names.
const (
	maxSuffix    = "-max"
	lengthSuffix = "-max-length"
	sizeName     = "iops-size"
)

// kinds are the first parts of names; it never changes.
var kinds = map[string]Kind{
	"iops-total": OpsTotal, "iops-read": OpsRead, "iops-write": OpsWrite,
	"bps-total": BytesTotal, "bps-read": BytesRead, "bps-write": BytesWrite,
}

// Names are the names of all limits, those of the members of QAPI's
// ThrottleLimits, in its order.
func Names() []string {
	var names []string
	for _, base := range []string{"iops-total", "iops-read", "iops-write", "bps-total", "bps-read", "bps-write"} {
		names = append(names, base, base+maxSuffix, base+lengthSuffix)
	}
	return append(names, sizeName)
}

// Named returns where the limit called name is; nil if there is none.
func (l *Limits) Named(name string) *uint64 {
	if name == sizeName {
		return &l.OpSize
	}
	base, isLength := strings.CutSuffix(name, lengthSuffix)
	base, isMax := strings.CutSuffix(base, maxSuffix)
	k, ok := kinds[base]
	switch {
	case !ok:
		return nil
	case isLength:
		return &l.Of[k].Length
	case isMax:
		return &l.Of[k].Burst
	}
	return &l.Of[k].Rate
}

// IsLength reports whether a limit is the length of a burst.
func IsLength(name string) bool { return strings.HasSuffix(name, lengthSuffix) }
