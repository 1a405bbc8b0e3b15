//go:build !race && !invariants

package aio

// checksHome says that it is checked which goroutine polls an iothread. See
// invariants_on.go.
const checksHome = false

func goroutine() uint64 { return 0 }
