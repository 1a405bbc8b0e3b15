package throttle

import "github.com/backplane-vm/backplane/qapi/qerr"

// Kind is what a limit is of.
type Kind int

// The kinds of limits. One of a total excludes the same for reads or writes.
const (
	BytesTotal Kind = iota
	BytesRead
	BytesWrite
	OpsTotal
	OpsRead
	OpsWrite

	// Kinds is how many there are.
	Kinds = 6
)

// A Limit is one rate. In its zero value nothing is limited, but the length has
// to be 1.
type Limit struct {
	Rate   uint64 // a second; 0 for no limit
	Burst  uint64 // a second in bursts; 0 for none
	Length uint64 // longest burst, in seconds
}

// Limits are those of a group.
type Limits struct {
	Of     [Kinds]Limit
	OpSize uint64 // requests count as one operation for each so many bytes; 0: as one
}

// MaxRate is the largest value of a rate, per second (QEMU's limit).
const MaxRate = 1_000_000_000_000_000

// Unlimited returns limits that limit nothing.
func Unlimited() Limits {
	var l Limits
	for i := range l.Of {
		l.Of[i].Length = 1
	}
	return l
}

// Enabled reports whether anything is limited.
func (l *Limits) Enabled() bool {
	for _, x := range l.Of {
		if x.Rate > 0 {
			return true
		}
	}
	return false
}

// Check refuses limits that make no sense together, in QEMU's words.
func (l *Limits) Check() error {
	of := &l.Of
	switch {
	case l.overlap(func(k Kind) bool { return of[k].Rate > 0 }), l.overlap(func(k Kind) bool { return of[k].Burst > 0 }):
		return qerr.New("bps/iops/max total values and read/write values cannot be used at the same time")
	case l.OpSize > 0 && of[OpsTotal].Rate == 0 && of[OpsRead].Rate == 0 && of[OpsWrite].Rate == 0:
		return qerr.New("iops size requires an iops value to be set")
	}
	for _, x := range of {
		if err := x.check(); err != nil {
			return err
		}
	}
	return nil
}

// overlap reports whether a total and one of its parts are set.
func (l *Limits) overlap(set func(Kind) bool) bool {
	return set(BytesTotal) && (set(BytesRead) || set(BytesWrite)) || set(OpsTotal) && (set(OpsRead) || set(OpsWrite))
}

func (l Limit) check() error {
	switch {
	case l.Rate > MaxRate || l.Burst > MaxRate:
		return qerr.New("bps/iops/max values must be within [0, %d]", int64(MaxRate))
	case l.Length == 0:
		return qerr.New("the burst length cannot be 0")
	case l.Length > 1 && l.Burst == 0:
		return qerr.New("burst length set without burst rate")
	case l.Burst > 0 && l.Length > MaxRate/l.Burst:
		return qerr.New("burst length too high for this burst rate")
	case l.Burst > 0 && l.Rate == 0:
		return qerr.New("bps_max/iops_max require corresponding bps/iops values")
	case l.Burst > 0 && l.Burst < l.Rate:
		return qerr.New("bps_max/iops_max cannot be lower than bps/iops")
	}
	return nil
}
