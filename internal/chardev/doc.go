// Package chardev connects the machine's byte streams, monitors and serial
// ports, to the world: a terminal, a file, a named pipe, unix and tcp sockets,
// a ring in memory, or nothing.
//
// A [Chardev] is made from a [Config] (one -chardev, or the short form of
// -serial and its like). It has one frontend, in one of two shapes: [Chardev.Serve]
// hands each connection to a function, for monitors; a [Port] is a pair of
// bounded buffers that never block, for devices. A [Mux] lets a serial port and
// a monitor share one terminal.
//
// QEMU serves one client of a socket at a time and lets others wait. Serve can do
// that, and can also serve all clients at once, which is what our QMP does.
//
// Goroutines: all are threads of the [sched.World]: one a chardev that accepts
// or connects, one a connection, one more for a Port's output. [Chardev.Close]
// ends and joins them; so it must not be called from a connection's function.
//
// Locks: a Chardev's, a Port's and a ring's are leaves, as is a frontend's behind
// its Mux's; no callback runs under one. Open may block (it connects, it resolves names), Close waits for
// output to drain for a bounded time; nothing else blocks but Read and Write on
// connections.
package chardev
