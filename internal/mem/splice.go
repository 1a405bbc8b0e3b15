package mem

// splice builds a view from an old one in which intervals are replaced, in
// rising order, and keeps account of the difference. Whole chunks that no
// interval meets go over as they are.
type splice struct {
	rest []chunk // of the old view, not yet reached
	cur  []Range // of the old chunk that is open, not yet reached
	buf  []Range // for the new chunk that is open
	out  []chunk

	removed, added []Range
}

// replace puts fresh in the place of what the old view has within s.
func (p *splice) replace(s span, fresh []Range) {
	p.copyBefore(s.first)
	p.account(p.take(s.last), fresh)
	p.buf = append(p.buf, fresh...)
}

// open makes the next old chunk the current one.
func (p *splice) open() {
	p.cur = p.rest[0].ranges
	p.rest = p.rest[1:]
}

// copyBefore takes over the old ranges that end before first.
func (p *splice) copyBefore(first uint64) {
	for {
		k := endingBefore(p.cur, first)
		p.buf = append(p.buf, p.cur[:k]...)
		if p.cur = p.cur[k:]; len(p.cur) > 0 {
			return
		}
		if len(p.buf) == 0 || len(p.buf) >= chunkMin {
			p.flush()
			n := 0
			for n < len(p.rest) && p.rest[n].last < first {
				n++
			}
			p.out = append(p.out, p.rest[:n]...)
			p.rest = p.rest[n:]
		}
		if len(p.rest) == 0 {
			return
		}
		p.open()
	}
}

// take returns the old ranges, from where copyBefore stopped, that begin no
// later than last, and leaves them out.
func (p *splice) take(last uint64) (taken []Range) {
	for {
		k := 0
		for k < len(p.cur) && p.cur[k].First <= last {
			k++
		}
		taken = append(taken, p.cur[:k]...)
		if p.cur = p.cur[k:]; len(p.cur) > 0 || len(p.rest) == 0 || p.rest[0].ranges[0].First > last {
			return taken
		}
		p.open()
	}
}

// flush ends the new chunk that is open. One that is too small joins the one
// before it, one too large becomes several.
func (p *splice) flush() {
	if n := len(p.out); n > 0 && 0 < len(p.buf) && len(p.buf) < chunkMin {
		before := p.out[n-1].ranges
		p.buf = append(before[:len(before):len(before)], p.buf...)
		p.out = p.out[:n-1]
	}
	pieces := (len(p.buf) + chunkMax - 1) / chunkMax
	for i := range pieces {
		part := p.buf[i*len(p.buf)/pieces : (i+1)*len(p.buf)/pieces]
		p.out = append(p.out, chunk{part[len(part)-1].Last, part})
	}
	p.buf = nil
}

// finish takes over what is left and returns the new view.
func (p *splice) finish() *FlatView {
	p.buf = append(p.buf, p.cur...)
	for 0 < len(p.buf) && len(p.buf) < chunkMin && len(p.rest) > 0 {
		p.open()
		p.buf = append(p.buf, p.cur...)
	}
	p.flush()
	return &FlatView{append(p.out, p.rest...)}
}

// account notes the ranges of old that are not in fresh, and the reverse.
func (p *splice) account(old, fresh []Range) {
	for len(old) > 0 && len(fresh) > 0 && old[0] == fresh[0] {
		old, fresh = old[1:], fresh[1:]
	}
	for len(old) > 0 && len(fresh) > 0 && old[len(old)-1] == fresh[len(fresh)-1] {
		old, fresh = old[:len(old)-1], fresh[:len(fresh)-1]
	}
	p.removed = append(p.removed, old...)
	p.added = append(p.added, fresh...)
}

// join appends r, or extends the last range if r continues it.
func join(out []Range, r Range) []Range {
	if n := len(out); n > 0 {
		l := &out[n-1]
		if l.Region == r.Region && l.Last+1 == r.First && l.Offset+(r.First-l.First) == r.Offset {
			l.Last = r.Last
			return out
		}
	}
	return append(out, r)
}
