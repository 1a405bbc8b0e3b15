package qobject

import (
	"cmp"
	"iter"
	"slices"
)

// buckets is the size of QEMU's dictionary hash table. Its members come out
// bucket by bucket, and that order is visible on the wire and in which of two
// errors is reported first.
const buckets = 512

// bucketOf returns the bucket QEMU would put key in. Strings are hashed in
// modified UTF-8, where U+0000 is the two bytes C0 80.
func bucketOf(key string) uint16 {
	size, shift := uint32(0), uint(0)
	var sum uint32
	mix := func(b byte) {
		sum += uint32(b) << shift
		size++
		if shift += 5; shift >= 24 {
			shift -= 24
		}
	}
	for i := range len(key) {
		if key[i] == 0 {
			mix(0xC0)
			mix(0x80)
			continue
		}
		mix(key[i])
	}
	h := 0x238F13AF*size + sum
	return uint16((1103515243*h + 12345) % buckets)
}

// Wire iterates over the members in the order QEMU's hash table holds them:
// by bucket, and inside a bucket the newest first. The Dict must not gain or
// lose members meanwhile.
func (d *Dict) Wire() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		var room [smallOrder]int32
		for _, i := range d.wireOrder(room[:0]) {
			if !yield(d.members[i].key, d.members[i].value) {
				return
			}
		}
	}
}

// smallOrder is how many members can be put in order without allocating; the
// largest common object (a PCI device of query-pci) has fewer.
const smallOrder = 32

// wireOrder appends the positions of d's members in wire order to order,
// which is empty.
func (d *Dict) wireOrder(order []int32) []int32 {
	for i := range d.Len() {
		order = append(order, int32(i))
	}
	if len(order) > smallOrder {
		slices.SortFunc(order, func(a, b int32) int {
			return cmp.Or(cmp.Compare(d.members[a].bucket, d.members[b].bucket), cmp.Compare(b, a))
		})
		return order
	}
	// An insertion sort: newer members go before older ones of equal bucket.
	for i, p := range order {
		for i > 0 && d.members[order[i-1]].bucket >= d.members[p].bucket {
			order[i] = order[i-1]
			i--
		}
		order[i] = p
	}
	return order
}
