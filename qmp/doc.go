// Package qmp is QEMU's monitor protocol: what a server needs without any
// I/O, and a client.
//
// The server side is a state machine. A [Session] turns the bytes of one
// connection into [Request]s and requests into reply lines; whoever owns the
// connection reads, queues, chooses the context in which a command runs, and
// writes. A [Registry] holds the commands. Both know no coroutines: the type
// parameter Y is handed from the caller to the handler and never used.
//
// The server side starts no goroutines, takes no locks and never blocks
// (handlers may). A [Client] runs two goroutines, one that reads and one that
// writes, both gone when its Close returns.
package qmp
