package riscv

import "unsafe"

const (
	// maxBlockOps bounds a block: long enough for real straight-line code,
	// short enough that an interrupt never waits for long.
	maxBlockOps = 64

	// maxBlocks bounds what the engine remembers before it starts over: with
	// some 20 ops of 16 bytes each, about 50 MB.
	maxBlocks = 1 << 17

	jumpCacheSize = 4096
)

// block is a run of instructions inside one page, decoded for one virtual
// address. Its last op, and no other, ends it.
type block struct {
	va   uint64         // of the first instruction; noTag once dropped
	end  uint64         // virtual address after the last instruction
	host unsafe.Pointer // the host page it was decoded from
	n    int            // instructions
	ops  []op
	raw  []uint32 // the instructions, expanded to 32 bits, for Hart.execute

	// Where control went from here before, inside the same page, or nil. Links
	// never leave the page, so they live and die with its blocks.
	taken, fall *block
}

// codePage is the blocks decoded from one page.
type codePage struct {
	r      *region
	page   uint64
	gen    uint32 // of the region's page when the first block was decoded
	blocks map[uint64]*block
}

// blocks is the pre-decoding interpreter.
//
// Blocks are found by virtual address and host page, so a change of
// translation needs no invalidation: a jump whose target is in another page
// passes through the hart's fetch translations, and a link inside a page is
// followed only while nothing can have changed those (every instruction that
// can is an opSlowEnd). A store into translated code drops its page.
type blocks struct {
	h     *Hart
	pages map[unsafe.Pointer]*codePage
	count int    // blocks made since the last Reset
	seen  uint64 // Memory.codeGen at the last Sync

	jumps [jumpCacheSize]*block // by virtual address; never nil
	none  block                 // what an empty place of jumps holds

	// What the interpreter loop hands back.
	cur  *block
	at   int // index of the op in cur that the loop stopped at
	left int // of the budget
}

// Blocks makes the engine that decodes basic blocks once and interprets them.
func Blocks(h *Hart) Engine {
	e := &blocks{h: h}
	e.none.va = noTag
	e.Reset()
	return e
}

// Reset drops all blocks.
func (e *blocks) Reset() {
	for _, p := range e.pages {
		p.drop()
	}
	e.pages = make(map[unsafe.Pointer]*codePage)
	e.count = 0
	for i := range e.jumps {
		e.jumps[i] = &e.none
	}
}

// Sync drops the pages that have been stored to since they were decoded.
func (e *blocks) Sync() {
	now := e.h.mem.codeGen.Load()
	if now == e.seen {
		return
	}
	e.seen = now
	for host, p := range e.pages {
		if p.r.gen[p.page].Load() != p.gen {
			p.drop()
			delete(e.pages, host)
		}
	}
}

func (p *codePage) drop() {
	for _, b := range p.blocks {
		b.va = noTag
	}
}

// Run is documented at Engine. It alternates between the interpreter loop and
// what that loop leaves to the rest of the hart.
func (e *blocks) Run(budget int) Exit {
	h := e.h
	e.left = budget
	var b *block // nil: find it by h.pc
	at := 0
	for {
		if h.attention.Load() != 0 && !h.attend() {
			return ExitAttention
		}
		if h.check {
			traps := h.traps
			if h.interrupt(); h.traps != traps {
				b = nil
			}
		}
		if h.waiting {
			return ExitWFI
		}
		if e.left <= 0 {
			return ExitBudget
		}
		if b == nil {
			if b, at = e.find(), 0; b == nil {
				e.single()
				continue
			}
		}
		switch e.loop(b, at) {
		case leftForBlock:
			e.link(e.cur)
			b = nil
		case leftForAttention:
			b = nil
		case leftForOp:
			b, at = e.slow()
		}
	}
}

// single does one instruction for which there can be no block: it traps on
// fetch, crosses a page, or lies where PMP divides a page.
func (e *blocks) single() {
	e.h.step()
	e.left--
}

// slow does the op that the loop stopped at. It returns where to go on: at
// the next op if all is as the block assumes, else nowhere.
func (e *blocks) slow() (*block, int) {
	h, b, o := e.h, e.cur, &e.cur.ops[e.at]
	if h.attention.Load() != 0 && !h.attend() {
		h.attention.Store(1) // Run is to see it
		return nil, 0
	}
	next := b.end
	if e.at+1 < len(b.ops) {
		next = b.va + uint64(b.ops[e.at+1].off)
	}
	h.execute(b.raw[e.at], next-h.pc)
	e.left--
	if o.code.ends() || h.pc != next || b.va == noTag {
		return nil, 0
	}
	return b, e.at + 1
}

// find returns the block at h.pc, decoding it if need be, or nil if there
// can be none.
func (e *blocks) find() *block {
	h := e.h
	t := h.code.exec.slot(h.pc)
	if t.tag != h.pc&^pageMask {
		// After a trap, single does the first instruction of the handler.
		if _, ok := h.fetch16(h.pc); !ok {
			e.left--
			return nil
		}
		if t.tag != h.pc&^pageMask {
			return nil
		}
	}
	page := e.pages[t.page]
	if page != nil {
		if b := page.blocks[h.pc]; b != nil {
			e.jumps[jumpSlot(h.pc)] = b
			return b
		}
	}
	if e.count >= maxBlocks {
		e.Reset()
		page = nil
	}
	b := e.translate(page, t.page)
	if b != nil {
		e.jumps[jumpSlot(h.pc)] = b
		e.count++
	}
	return b
}

func jumpSlot(pc uint64) uint64 { return pc >> 1 % jumpCacheSize }

// link remembers the block at h.pc as successor of from, if it is in the same
// page and from ends in something that always or sometimes leads there.
func (e *blocks) link(from *block) {
	pc := e.h.pc
	if from.va == noTag || from.va&^pageMask != pc&^pageMask {
		return
	}
	last := from.ops[len(from.ops)-1]
	toTarget := last.code >= opBEQ && last.code <= opJAL && last.imm == pc
	toNext := last.code >= opBEQ && last.code < opJAL || last.code == opEnd
	if !toTarget && !(toNext && from.end == pc) {
		return
	}
	to := e.find()
	if to == nil || to.host != from.host || from.va == noTag {
		return
	}
	if toTarget {
		from.taken = to
	}
	if toNext && from.end == pc {
		from.fall = to
	}
}

// translate decodes the block at h.pc, which is in the given host page, and
// files it. It returns nil if the first instruction goes on in another page.
func (e *blocks) translate(page *codePage, host unsafe.Pointer) *block {
	h := e.h
	if page == nil {
		r, n := h.mem.locate(host)
		page = &codePage{r: r, page: n, gen: r.gen[n].Load(), blocks: make(map[uint64]*block)}
	}
	// Mark before reading: see region. How far the block goes is not known
	// yet, so mark line by line.
	b := &block{va: h.pc, host: host}
	base, off := h.pc&^pageMask, h.pc&pageMask
	marked := uint64(0) // offset in the page up to which it is marked
	for len(b.ops) < maxBlockOps && off < pageSize {
		if off >= marked {
			line := off &^ (1<<lineShift - 1)
			marked = line + 1<<lineShift
			// The last instruction of a line may end in the next one.
			h.mem.markCode(h, page.r, page.page<<pageShift|line, min(marked+2, pageSize)-line)
		}
		insn, n, ok := fetchIn(host, off)
		if !ok {
			break
		}
		o := decode(insn, base+off)
		o.off = uint16(base + off - b.va)
		b.ops = append(b.ops, o)
		b.raw = append(b.raw, insn)
		off += n
		if o.code.ends() {
			break
		}
	}
	if b.n = len(b.ops); b.n == 0 {
		return nil
	}
	b.end = base + off
	if !b.ops[b.n-1].code.ends() {
		b.ops = append(b.ops, op{code: opEnd, off: uint16(b.end - b.va)})
	}
	page.blocks[b.va] = b
	e.pages[host] = page
	return b
}

// fetchIn reads the instruction at off of a host page; ok false means that it
// is not wholly there.
func fetchIn(host unsafe.Pointer, off uint64) (insn uint32, n uint64, ok bool) {
	lo := load16(unsafe.Add(host, off))
	if lo&3 != 3 {
		return expand(lo), 2, true
	}
	if off+4 > pageSize {
		return 0, 4, false
	}
	return uint32(load16(unsafe.Add(host, off+2)))<<16 | uint32(lo), 4, true
}
