// Package riscv is a RISC-V hart in software: RV64IMAC with Zicsr and
// Zifencei, the privilege modes M, S and U, Sv39 translation, physical memory
// protection and, where the machine supplies a timer, Sstc.
//
// A [Hart] owns architectural state and the meaning of everything that is
// rare: traps, control registers, translation, atomics, device access. An
// [Engine] owns the way from instruction bytes to that meaning. Two engines
// exist. [Blocks] is the one to use: it decodes straight-line runs once and
// interprets the decoded form. [Reference] decodes every instruction every
// time; it is slow, obvious, and the oracle that the tests hold the other one
// against.
//
// # Wiring
//
// The package knows no machine. RAM and ROM are byte slices in a [Memory]
// shared by all harts of a machine; every other physical address goes to a
// [Bus]. Interrupt lines arrive through [Hart.SetIRQ]. Time comes from a
// callback.
//
// # Goroutines
//
// The package starts none. Whoever calls [Hart.Run] lends the hart its
// goroutine: all architectural state belongs to it while Run is inside the
// engine, and to everybody who paused the hart (see [Hart.Pause]) otherwise.
// Bus callbacks run on that goroutine. Kick, SetIRQ, SetRunning, Pause, Stop,
// Halted and the methods of Memory may be called from any goroutine; none but
// Pause blocks.
//
// Lock order: Memory.mu before Hart.requestMu. Hart.controlMu and
// Hart.timerMu are leaves. No lock is held while a callback runs, except
// timerMu around Config.Time and Config.ArmTimer.
//
// # Guest memory and the Go memory model
//
// Harts read and write RAM through the functions of access.go. Aligned
// accesses are single host accesses; LR/SC and AMOs are sync/atomic
// operations. Guest programs may race with each other and with devices as
// they may on hardware; that is the guest's affair, so the access functions
// are hidden from Go's race detector, while everything that backplane itself
// shares between goroutines is not.
package riscv
