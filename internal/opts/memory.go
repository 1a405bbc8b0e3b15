package opts

import (
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// Memory is the value of -m, in bytes. MaxSize is Size when no more can be
// plugged.
type Memory struct {
	Size, MaxSize uint64
	Slots         uint64
}

// ParseMemory reads the value of -m: a size, by default in MiB, and slots= and
// maxmem= for what may be plugged. A size of 0, or none, is def.
func ParseMemory(text string, def uint64) (Memory, error) {
	o, err := ParseOpts(text, "size")
	if err != nil {
		return Memory{}, err
	}
	if err := o.Check(Schema{"size": Size, "slots": Number, "maxmem": Size}); err != nil {
		return Memory{}, err
	}
	m := Memory{Size: def}
	if v, ok := o.Get("size"); ok {
		n, err := sizeInMiB(v)
		if err != nil {
			return Memory{}, err
		}
		if n != 0 {
			m.Size = n
		}
	}
	maxmem, hasMax := o.Get("maxmem")
	m.MaxSize = m.Size
	if hasMax {
		m.MaxSize, _ = ParseSize("maxmem", maxmem) // checked above
	}
	m.Slots, _ = o.Number("slots", 0) // checked above
	_, hasSlots := o.Get("slots")
	switch {
	case m.MaxSize < m.Size:
		return Memory{}, qerr.New("invalid value of maxmem: maximum memory size (0x%x) must be at least the initial memory size (0x%x)", m.MaxSize, m.Size)
	case hasSlots && !hasMax:
		return Memory{}, qerr.New("slots specified but no max-size")
	case m.Slots > 0 && m.MaxSize == m.Size:
		return Memory{}, qerr.New("invalid value of maxmem: memory slots were specified but maximum memory size (0x%x) is equal to the initial memory size (0x%x)", m.MaxSize, m.Size)
	}
	return m, nil
}

// sizeInMiB reads a size that counts MiB when it has no suffix.
func sizeInMiB(v string) (uint64, error) {
	if strings.HasSuffix(strings.ToLower(v), "b") && !strings.HasPrefix(v, "0x") {
		return ParseSize("size", v)
	}
	return parseSize("size", v, 20)
}
