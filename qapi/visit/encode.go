package visit

import (
	"math"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// Uint returns the value for an unsigned integer: int64 where it fits, as
// package qobject wants it.
func Uint(u uint64) any {
	if u <= math.MaxInt64 {
		return int64(u)
	}
	return u
}

// EncodeList returns the value for a list. It is not nil, even for a nil list.
func EncodeList[T any](list []T, encode func(*T) any) []any {
	out := make([]any, len(list))
	for i := range list {
		out[i] = encode(&list[i])
	}
	return out
}

// NoMembers fails with QEMU's text if args, which may be nil, has a member.
func NoMembers(args *qobject.Dict) error {
	if args.Len() == 0 {
		return nil
	}
	o := New(args, JSON).Object()
	o.Close()
	return o.Err()
}
