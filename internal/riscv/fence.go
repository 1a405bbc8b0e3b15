//go:build !arm64

package riscv

// fenceIsCall keeps FENCE out of the interpreter loop where it needs a call.
const fenceIsCall = false

// fullBarrier orders all memory accesses before it with all after it. A Go
// atomic that writes is that on amd64, where it is a locked instruction.
func (h *Hart) fullBarrier() { h.barrier.Add(0) }
