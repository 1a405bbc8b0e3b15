//go:build race

package coro_test

// share is the part of the schedules that is tried: the race detector takes its
// time, and finds nothing in a simulated World, where one thread runs at once.
const share = 10
