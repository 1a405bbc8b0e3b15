// Package e2e holds the end-to-end tests of the backplane binary. They build
// it once and talk to it as its users do: over sockets and stdio, with foreign
// clients, beside recordings of QEMU. The module is one of its own so that the
// clients' dependencies stay out of the library's.
package e2e
