// Package demo is the demo guest: a small bare-metal riscv64 program that
// drives native PCIe hot-plug, virtio-blk and virtio-rng on a `virt` machine
// and logs every step to the console. The program itself is in src/, built by
// the Makefile; this package embeds the result and describes, for the host's
// side, the two formats it speaks: the log (ParseLine) and the sectors of a
// test disk (FormatDisk, VerifyDisk).
//
// The package starts no goroutines, holds no state and blocks only in the
// readers and writers it is given.
package demo

import _ "embed"

//go:embed demo.elf
var image string

// ELF returns the demo guest, a statically linked riscv64 executable to be
// loaded at its physical addresses (from 0x80000000) and entered in machine
// mode by every hart with its number in a0. The caller owns the copy.
func ELF() []byte { return []byte(image) }
