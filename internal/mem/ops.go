package mem

// Sizes bounds the widths of accesses, in bytes.
type Sizes struct {
	Min, Max  uint // powers of two up to 8; 0 stands for the default
	Unaligned bool // whether an address need not be a multiple of the width
}

// Ops is what an I/O region does. An Ops is immutable once a region uses it and
// may serve many regions; nil functions read as zero and ignore writes.
//
// The callbacks run under the BQL (unless Lockless) and must not block. off is
// relative to the region, size one of 1, 2, 4, 8. A read returns size bytes,
// little-endian, in the low bits; what stands above them is ignored.
type Ops struct {
	Read  func(off uint64, size uint) (uint64, Result)
	Write func(off uint64, v uint64, size uint) Result

	// Valid is what the guest may do; other accesses are a DecodeError and
	// never reach the callbacks. Defaults: 1 to any width, aligned.
	Valid Sizes
	// Impl is what the callbacks implement: wider accesses are split into
	// several calls, narrower ones widened. Defaults: 1 to 4.
	Impl Sizes
	// Accepts, if set, has the last word on an access that Valid allows.
	Accepts func(off uint64, size uint, write bool) bool

	// Lockless says that the callbacks take care of their own locking: vCPUs
	// call them without the BQL, several at once, and the re-entrancy guard
	// does not apply.
	Lockless bool
	// Reentrant exempts the region from the re-entrancy guard of its owner.
	Reentrant bool
}

// defaultImplMax is the widest access a region implements unless it says
// otherwise (QEMU's default, which register layouts rely on).
const defaultImplMax = 4

// accepts tells whether the guest may make this access.
func (o *Ops) accepts(off uint64, size uint, write bool) bool {
	v := &o.Valid
	if !v.Unaligned && off&uint64(size-1) != 0 {
		return false
	}
	if size < v.Min || (v.Max != 0 && size > v.Max) {
		return false
	}
	return o.Accepts == nil || o.Accepts(off, size, write)
}

// width returns the width of the calls that an access of size becomes.
func (o *Ops) width(size uint) uint {
	lo, hi := o.Impl.Min, o.Impl.Max
	if lo == 0 {
		lo = 1
	}
	if hi == 0 {
		hi = defaultImplMax
	}
	return max(min(size, hi), lo)
}

// read makes one valid access as the calls it consists of.
func (o *Ops) read(off uint64, size uint) (v uint64, res Result) {
	if o.Read == nil {
		return 0, OK
	}
	step := o.width(size)
	for i := uint(0); i < size; i += step {
		part, r := o.Read(off+uint64(i), step)
		v |= (part & mask(step)) << (8 * i)
		res = max(res, r)
	}
	return v & mask(size), res
}

// write makes one valid access as the calls it consists of.
func (o *Ops) write(off, v uint64, size uint) (res Result) {
	if o.Write == nil {
		return OK
	}
	step := o.width(size)
	v &= mask(size)
	for i := uint(0); i < size; i += step {
		res = max(res, o.Write(off+uint64(i), v>>(8*i)&mask(step), step))
	}
	return res
}

// mask returns the value of size bytes of ones.
func mask(size uint) uint64 {
	if size >= 8 {
		return ^uint64(0)
	}
	return 1<<(8*size) - 1
}

// accessWidth returns how much of n bytes at off one access can take: a power
// of two that the region allows and, unless it implements unaligned accesses,
// that off is a multiple of.
func (o *Ops) accessWidth(off uint64, n int) uint {
	w := o.Valid.Max
	if w == 0 {
		w = defaultImplMax
	}
	if low := off & -off; !o.Impl.Unaligned && low != 0 && low < uint64(w) {
		w = uint(low)
	}
	for w > uint(n) {
		w >>= 1
	}
	return w
}
