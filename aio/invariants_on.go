//go:build race || invariants

package aio

import (
	"bytes"
	"runtime"
	"strconv"
)

// checksHome says that it is checked which goroutine polls an iothread.
const checksHome = true

// goroutine returns a number that identifies the calling goroutine. Go gives
// none, but prints one in traces. That is good enough for an assertion in a
// checking build, and for nothing else.
func goroutine() uint64 {
	var buf [64]byte
	fields := bytes.Fields(buf[:runtime.Stack(buf[:], false)]) // "goroutine 12 [running]: ..."
	id, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		panic("aio: the form of stack traces has changed")
	}
	return id
}
