// Package qmptest helps to test what speaks QMP: a server without a machine
// for clients, and the reading of recorded conversations for servers.
//
// A [Server] does everything in the goroutine that calls it; only [Pipe]
// starts one, which ends with the connection. Nothing takes locks.
package qmptest
