package launch

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// inherited is a descriptor that the process was started with, for a set.
type inherited struct {
	fd     int
	set    int64
	opaque *string
}

// inheritedSchema is what -add-fd takes.
var inheritedSchema = opts.Schema{"fd": opts.Number, "set": opts.Number, "opaque": opts.Text}

func (p *plan) takeInherited(f opts.Flag) error {
	o, err := opts.ParseOpts(f.Value, "")
	if err == nil {
		err = o.Check(inheritedSchema)
	}
	if err != nil {
		return err
	}
	fd, _ := o.Number("fd", math.MaxUint64) // checked
	set, _ := o.Number("set", math.MaxUint64)
	v := inherited{fd: int(int32(fd)), set: int64(set)}
	if text, ok := o.Get("opaque"); ok {
		v.opaque = &text
	}
	switch {
	case v.fd < 0:
		return qerr.New("fd option is required and must be non-negative")
	case v.fd <= unix.Stderr:
		return qerr.New("fd cannot be a standard I/O stream")
	}
	p.inherited = append(p.inherited, located[inherited]{f, v})
	return nil
}

// inherit puts copies of the descriptors of -add-fd into their sets, and closes
// what was copied.
func (p *plan) inherit(m *machine.Machine) error {
	for _, in := range p.inherited {
		if err := in.flag.Wrap(m.Files.Inherit(in.value.fd, in.value.set, in.value.opaque)); err != nil {
			return err
		}
	}
	done := make(map[int]bool)
	for _, in := range p.inherited {
		if fd := in.value.fd; !done[fd] { // several flags may name it
			_ = unix.Close(fd)
			done[fd] = true
		}
	}
	return nil
}
