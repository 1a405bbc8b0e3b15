package coro_test

import "iter"

func pull(seq iter.Seq[struct{}]) (func() (struct{}, bool), func()) { return iter.Pull(seq) }
