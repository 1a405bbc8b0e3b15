package qom

import "slices"

// slots is a hash table as GLib 2.58 to 2.82 have it, as far as the order of
// its keys goes: QEMU lists the properties of an object in that order, and
// clients see it in qom-list, in the order of DEVICE_DELETED events, and so on.
// Keys are only ever added: what a removal leaves behind is not modelled.
type slots struct {
	hash  []uint32 // 0 for an unused slot
	item  []*Property
	mod   uint32
	nodes int
}

// minShift is the smallest table's size as a power of two.
const minShift = 3

// primes[n] is what hashes are taken modulo in a table of size 1<<n.
var primes = [...]uint32{
	1, 2, 3, 7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521,
}

// inTableOrder returns list in the order in which QEMU lists it if its members
// were added one after the other: that of the table, from the end.
func inTableOrder(list []*Property) []*Property {
	if len(list) < 2 || len(list) > 1<<(len(primes)-2) {
		return list
	}
	var t slots
	t.resize(minShift)
	for _, p := range list {
		t.add(p)
	}
	out := make([]*Property, 0, len(list))
	for i, h := range t.hash {
		if h != 0 {
			out = append(out, t.item[i])
		}
	}
	slices.Reverse(out)
	return out
}

// TableOrder returns list, whose members were added to one table one after the
// other, in the order in which QEMU lists it.
func TableOrder(list []*Property) []*Property { return inTableOrder(list) }

// ListOrder returns the order in which QEMU lists children called names that
// were added one after the other.
func ListOrder(names []string) []string {
	list := make([]*Property, 0, len(names))
	for _, name := range names {
		list = append(list, &Property{Name: name})
	}
	out := make([]string, 0, len(names))
	for _, p := range inTableOrder(list) {
		out = append(out, p.Name)
	}
	return out
}

// stringHash is g_str_hash, kept off the values that mark unused slots.
func stringHash(s string) uint32 {
	h := uint32(5381)
	for i := range len(s) {
		h = h*33 + uint32(int32(int8(s[i])))
	}
	return max(h, 2)
}

func (t *slots) index(h uint32) int { return int(h * 11 % t.mod) }

func (t *slots) add(p *Property) {
	h := stringHash(p.Name)
	i := t.index(h)
	for step := 1; t.hash[i] != 0; step++ {
		i = (i + step) & (len(t.hash) - 1)
	}
	t.hash[i], t.item[i] = h, p
	t.nodes++
	if len(t.hash) <= t.nodes+t.nodes/16 {
		size := int(float64(t.nodes) * 1.333)
		shift := 0
		for ; size > 0; size >>= 1 {
			shift++
		}
		t.resize(max(shift, minShift))
	}
}

// resize moves every entry to its place in a table of size 1<<shift. It works
// in place: an entry that is in the way is moved next.
func (t *slots) resize(shift int) {
	old := len(t.hash)
	hash, item := make([]uint32, 1<<shift), make([]*Property, 1<<shift)
	copy(hash, t.hash)
	copy(item, t.item)
	t.hash, t.item, t.mod = hash, item, primes[shift]
	settled := make([]bool, len(hash))
	for i := range old {
		if hash[i] == 0 || settled[i] {
			continue
		}
		h, p := hash[i], item[i]
		hash[i], item[i] = 0, nil
		for h != 0 {
			at := t.index(h)
			for step := 1; settled[at]; step++ {
				at = (at + step) & (len(hash) - 1)
			}
			settled[at] = true
			h, hash[at] = hash[at], h
			p, item[at] = item[at], p
		}
	}
}
