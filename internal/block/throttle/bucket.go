package throttle

// bucket is how full a limit is.
type bucket struct {
	Limit
	level float64 // leaks at Rate
	burst float64 // leaks at Burst; used if bursts may last more than a second
}

const second = 1e9 // nanoseconds

// slack is the part of a second's worth that may come at once: without it every
// other request would wait.
const slack = 10

// longestWait bounds what a timer is set to, in nanoseconds: a rate of one byte
// a second and a large request make more than fits.
const longestWait = 1 << 62

func (b *bucket) leak(ns int64) {
	b.level = max(b.level-float64(b.Rate)*float64(ns)/second, 0)
	if b.Length > 1 {
		b.burst = max(b.burst-float64(b.Burst)*float64(ns)/second, 0)
	}
}

func (b *bucket) pour(amount float64) {
	b.level += amount
	if b.Length > 1 {
		b.burst += amount
	}
}

// size is how full the bucket may be: as full as a burst makes it, where bursts
// are allowed.
func (b *bucket) size() float64 {
	if b.Burst > 0 {
		return float64(b.Burst) * float64(b.Length)
	}
	return float64(b.Rate) / slack
}

// wait is for how many nanoseconds the bucket is too full.
func (b *bucket) wait() (ns float64) {
	if b.Rate == 0 {
		return 0
	}
	if extra := b.level - b.size(); extra > 0 {
		ns = extra * second / float64(b.Rate)
	}
	if extra := b.burst - float64(b.Burst)/slack; b.Length > 1 && extra > 0 {
		ns = max(ns, extra*second/float64(b.Burst))
	}
	return ns
}

// state is a group's buckets at a time.
type state struct {
	buckets [Kinds]bucket
	opSize  uint64
	at      int64 // leaked until then
}

// counts gives, for each direction, what its requests count for.
var counts = [directions]struct{ bytes, ops [2]Kind }{
	Read:  {[2]Kind{BytesTotal, BytesRead}, [2]Kind{OpsTotal, OpsRead}},
	Write: {[2]Kind{BytesTotal, BytesWrite}, [2]Kind{OpsTotal, OpsWrite}},
}

// configure empties the buckets.
func (s *state) configure(l Limits, now int64) {
	*s = state{opSize: l.OpSize, at: now}
	for i := range s.buckets {
		s.buckets[i].Limit = l.Of[i]
	}
}

func (s *state) limits() Limits {
	l := Limits{OpSize: s.opSize}
	for i := range s.buckets {
		l.Of[i] = s.buckets[i].Limit
	}
	return l
}

// leak lets out what the time until now takes.
func (s *state) leak(now int64) {
	if ns := now - s.at; ns > 0 {
		for i := range s.buckets {
			s.buckets[i].leak(ns)
		}
		s.at = now
	}
}

// wait is for how many nanoseconds a request has to wait.
func (s *state) wait(d Direction, now int64) int64 {
	s.leak(now)
	wait := 0.0
	for i := range counts[d].bytes {
		wait = max(wait, s.buckets[counts[d].bytes[i]].wait(), s.buckets[counts[d].ops[i]].wait())
	}
	return int64(min(wait, longestWait))
}

// account pours a request into its buckets.
func (s *state) account(d Direction, bytes, now int64) {
	s.leak(now)
	ops := 1.0
	if s.opSize > 0 && uint64(bytes) > s.opSize {
		ops = float64(bytes) / float64(s.opSize)
	}
	for i := range counts[d].bytes {
		s.buckets[counts[d].bytes[i]].pour(float64(bytes))
		s.buckets[counts[d].ops[i]].pour(ops)
	}
}
