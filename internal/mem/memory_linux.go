package mem

import "golang.org/x/sys/unix"

// noReserve asks for no swap space up front: a machine may be given more
// memory than it will ever touch.
const noReserve = unix.MAP_NORESERVE
