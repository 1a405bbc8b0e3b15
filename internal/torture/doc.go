// Package torture holds the tests that drive a whole machine hard: the demo
// guest on two harts, several clients at once, devices that come and go in
// random order, and clients that do not behave. It has no code of its own.
//
// Random tests take flags: -torture.sequences says how many, -torture.seed
// which ones; a failure prints the line that replays it.
package torture
