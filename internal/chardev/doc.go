// Package chardev connects the machine's byte streams, monitors and serial
// ports, to the world: a terminal, a pseudo terminal, a host's serial port, a file, a
// named pipe, unix and tcp sockets (plain or telnet), datagrams, a ring in memory, or
// nothing.
//
// A [Chardev] is made from a [Config] (one -chardev, or the short form of
// -serial and its like). It has one frontend, in one of two shapes: [Chardev.Serve]
// hands each connection to a function, for monitors; a [Port] is a pair of
// bounded buffers that never block, for devices. A [Mux] lets a serial port and
// a monitor share one terminal; a hub, which is a Chardev to its frontend, joins
// several devices, each by a Port. A [Set] has a machine's devices by id, makes,
// changes and removes them while the machine runs.
//
// QEMU serves one client of a socket at a time and lets others wait. Serve can do
// that, and can also serve all clients at once, which is what our QMP does.
//
// Goroutines: all are threads of the [sched.World]: one a chardev that accepts
// or connects, one a connection, one more for a Port's output; for a server that
// speaks TLS one that accepts, and one a handshake; and a short one of package
// context when a device that is being made is given up.
// [Chardev.Detach] and [Chardev.Close] end and join them; so they must not be
// called from a connection's function.
//
// Locks: a Set's comes before a Chardev's, a TLS server's greeter's too, that of a Mux's frontend before the
// Mux's, and that before its connections'; a hub's comes before its Ports', as its
// Chardev's does; a shared device's, a Port's and a ring's are leaves. No callback runs under one. Making a device may block (it connects,
// it resolves names, it waits for its client), Close waits for output to drain for
// a bounded time; nothing else blocks but Read and Write on connections, and
// writing a log.
package chardev
