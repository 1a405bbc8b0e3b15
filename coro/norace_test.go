//go:build !race

package coro_test

// share is the part of the schedules that is tried: all.
const share = 1
