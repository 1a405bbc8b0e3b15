//go:build armbe || arm64be || mips || mips64 || ppc || ppc64 || s390 || s390x || sparc || sparc64

package riscv

// Guest memory is accessed in host byte order, which must be little-endian.
// This refuses to build where it is not.
var _ = guestMemoryNeedsALittleEndianHost
