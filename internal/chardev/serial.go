package chardev

import (
	"os"

	"golang.org/x/sys/unix"
)

// serialSpeed is what a host's serial port is set to: QEMU's choice until the
// guest's port tells another. Ours has no speed, so it stays.
const serialSpeed = unix.B115200

// openSerial opens a host's serial port in raw mode, at 8N1. What is no terminal
// serves as it is. The modes stay when it is closed, as they do in QEMU.
func (h *Host) openSerial(path string) (*line, error) {
	f, err := h.Files.Open(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, couldNot("Could not open ", "'"+path+"'", err)
	}
	l := &line{lasting: f, peer: path}
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { l.terminal = makeSerial(int(fd)) }) // it was opened just now
	}
	return l, nil
}

// makeSerial sets the modes of a terminal, if it is one.
func makeSerial(fd int) (terminal bool) {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return false
	}
	makeRaw(t)
	t.Cflag &^= unix.PARODD | unix.CSTOPB | unix.CRTSCTS | unix.CBAUD
	t.Cflag |= unix.CREAD | serialSpeed
	t.Ispeed, t.Ospeed = serialSpeed, serialSpeed
	_ = unix.IoctlSetTermios(fd, unix.TCSETS, t) // as it is it serves too
	return true
}

// makeRaw takes the cooking out of a terminal's modes; characters have 8 bits and
// no parity.
func makeRaw(t *unix.Termios) {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
}
