package block

// A Tally counts the requests of one kind.
type Tally struct {
	Bytes      int64 // of those that ended well
	Operations int64 // that ended well
	Failed     int64
	Invalid    int64      // that made no sense, and were not tried
	TimeNS     int64      // what those that were tried took in all, drained sections included
	Latency    *Histogram // of those that were tried; nil unless asked for
}

// Stats is what has been asked of a [Backend].
type Stats struct {
	Reads, Writes, Flushes Tally

	Appends *Histogram // of zone appends, which no disk has yet

	last int64 // when the latest ended; 0 before the first
}

// of is the tally of writes or reads.
func (s *Stats) of(write bool) *Tally {
	if write {
		return &s.Writes
	}
	return &s.Reads
}

// SetHistograms has requests of each kind counted by what they take from now
// on; nil leaves a kind as it is.
func (b *Backend) SetHistograms(reads, writes, appends, flushes *Histogram) {
	for _, x := range []struct {
		to **Histogram
		h  *Histogram
	}{
		{&b.stats.Reads.Latency, reads}, {&b.stats.Writes.Latency, writes},
		{&b.stats.Appends, appends}, {&b.stats.Flushes.Latency, flushes},
	} {
		if x.h != nil {
			*x.to = x.h
		}
	}
}

// ClearHistograms ends what SetHistograms began.
func (b *Backend) ClearHistograms() {
	s := &b.stats
	s.Reads.Latency, s.Writes.Latency, s.Appends, s.Flushes.Latency = nil, nil, nil, nil
}

// Stats returns what has been asked of the backend.
func (b *Backend) Stats() Stats { return b.stats }

// IdleNS returns for how long nothing has been asked of the backend, in
// nanoseconds; ok is false before the first request.
func (b *Backend) IdleNS() (ns int64, ok bool) {
	return b.now() - b.stats.last, b.stats.last != 0
}

// CountInvalid counts a read or write that a device refused by itself.
func (b *Backend) CountInvalid(write bool) {
	b.stats.of(write).Invalid++
	b.stats.last = b.now()
}

// tally counts a request that began at a time, when it has ended.
func (b *Backend) tally(t *Tally, began int64, bytes int64, err error) {
	b.stats.last = b.now()
	t.TimeNS += b.stats.last - began
	t.Latency.count(b.stats.last - began)
	if err != nil {
		t.Failed++
		return
	}
	t.Operations++
	t.Bytes += bytes
}

func (b *Backend) now() int64 { return b.graph.clock.Now() }
