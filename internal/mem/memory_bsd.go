//go:build unix && !linux

package mem

const noReserve = 0
