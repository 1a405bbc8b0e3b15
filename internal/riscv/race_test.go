//go:build race

package riscv_test

const raceEnabled = true
