package riscv

// fenceIsCall keeps FENCE out of the interpreter loop, which is to call
// nothing.
const fenceIsCall = true

// fullBarrier orders all memory accesses before it with all after it. Go's
// atomics acquire and release; they let an earlier store pass a later load.
func (h *Hart) fullBarrier() { dataMemoryBarrier() }

// dataMemoryBarrier is DMB ISH.
//
//go:noescape
func dataMemoryBarrier()
