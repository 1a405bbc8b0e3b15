//go:build !race

package riscv_test

const raceEnabled = false
