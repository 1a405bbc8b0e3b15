package riscv

import "unsafe"

// Guest memory is little-endian, and so are all hosts that this package
// builds on (see bigendian.go): a guest access is one host access.
//
// The functions are marked norace because two harts may touch the same bytes
// without synchronisation when their programs do. The compiler inlines them
// except under -race, where it would otherwise instrument the inlined body.

//go:norace
func load8(p unsafe.Pointer) uint8 { return *(*uint8)(p) }

//go:norace
func load16(p unsafe.Pointer) uint16 { return *(*uint16)(p) }

//go:norace
func load32(p unsafe.Pointer) uint32 { return *(*uint32)(p) }

//go:norace
func load64(p unsafe.Pointer) uint64 { return *(*uint64)(p) }

//go:norace
func store8(p unsafe.Pointer, v uint64) { *(*uint8)(p) = uint8(v) }

//go:norace
func store16(p unsafe.Pointer, v uint64) { *(*uint16)(p) = uint16(v) }

//go:norace
func store32(p unsafe.Pointer, v uint64) { *(*uint32)(p) = uint32(v) }

//go:norace
func store64(p unsafe.Pointer, v uint64) { *(*uint64)(p) = v }

// loadN reads size bytes (1, 2, 4 or 8) and zero-extends them.
func loadN(p unsafe.Pointer, size uint64) uint64 {
	switch size {
	case 1:
		return uint64(load8(p))
	case 2:
		return uint64(load16(p))
	case 4:
		return uint64(load32(p))
	default:
		return load64(p)
	}
}

// storeN writes the low size bytes (1, 2, 4 or 8) of v.
func storeN(p unsafe.Pointer, size, v uint64) {
	switch size {
	case 1:
		store8(p, v)
	case 2:
		store16(p, v)
	case 4:
		store32(p, v)
	default:
		store64(p, v)
	}
}
