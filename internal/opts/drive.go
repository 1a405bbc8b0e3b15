package opts

import (
	"math"
	"slices"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// Drive is the value of -drive: a block node and, unless Interface is "none",
// the place where the machine plugs it in.
type Drive struct {
	ID        string
	Interface string // "none", "virtio", "ide", …; "" is the machine's own
	Media     string // "disk" or "cdrom"
	Index     int    // -1: the next free one
	Bus, Unit int    // -1: worked out from Index
	Snapshot  bool   // writes go to a temporary file
	File      string
	ReadOnly  bool
	// OnReadError and OnWriteError are "", "ignore", "enospc", "stop", "report"
	// or "auto".
	OnReadError, OnWriteError string
	// Limits are those of throttling, by their names in QAPI's ThrottleLimits;
	// Group is who shares them, "" for nobody.
	Limits map[string]uint64
	Group  string
	// Node are the members of the node as blockdev-add would have them, all
	// strings: driver, cache.direct, discard, and whatever the driver takes.
	// It has no filename: that depends on the driver (File).
	Node *qobject.Dict
}

// interfaces are the values of if=.
var interfaces = []string{"none", "ide", "scsi", "floppy", "pflash", "mtd", "sd", "virtio", "xen"}

// Interfaces returns the values of if=, in the order of QEMU's numbers.
func Interfaces() []string { return slices.Clone(interfaces) }

// cacheModes gives writeback, direct and no-flush for the names of cache=.
var cacheModes = map[string][3]string{
	"none":         {"on", "on", "off"},
	"off":          {"on", "on", "off"},
	"writeback":    {"on", "off", "off"},
	"writethrough": {"off", "off", "off"},
	"directsync":   {"off", "on", "off"},
	"unsafe":       {"on", "off", "on"},
}

// ParseDrive reads the value of -drive.
func ParseDrive(text string) (Drive, error) {
	o, err := ParseOpts(text, "")
	if err != nil {
		return Drive{}, err
	}
	return drive(o)
}

func drive(o *Opts) (Drive, error) {
	d := Drive{ID: o.ID, Index: -1, Bus: -1, Unit: -1, Node: qobject.NewDict()}
	if v, ok := o.Get("readonly"); ok { // the old spelling
		o.Set("read-only", v)
		o.Delete("readonly")
	}
	var err error
	take := func(name, def string) string {
		v := o.String(name, def)
		o.Delete(name)
		return v
	}
	flag := func(name string) bool {
		v, e := o.Bool(name, false)
		if err == nil {
			err = e
		}
		o.Delete(name)
		return v
	}
	place := func(name string) int {
		n, e := o.Number(name, math.MaxUint64)
		if err == nil {
			err = e
		}
		o.Delete(name)
		return int(int32(n))
	}
	d.File = take("file", "")
	d.Interface = take("if", "")
	d.Media = take("media", "disk")
	d.OnReadError, d.OnWriteError = take("rerror", ""), take("werror", "")
	d.Snapshot, d.ReadOnly = flag("snapshot"), flag("read-only")
	d.Index, d.Bus, d.Unit = place("index"), place("bus"), place("unit")
	if err == nil {
		err = d.throttling(o)
	}
	if err == nil {
		err = d.check()
	}
	if err == nil {
		err = d.node(o)
	}
	if err != nil {
		return Drive{}, err
	}
	return d, nil
}

// limitAliases are older names of limits.
var limitAliases = map[string]string{
	"iops": "iops-total", "iops_rd": "iops-read", "iops_wr": "iops-write",
	"bps": "bps-total", "bps_rd": "bps-read", "bps_wr": "bps-write",
	"iops_max": "iops-total-max", "iops_rd_max": "iops-read-max", "iops_wr_max": "iops-write-max",
	"bps_max": "bps-total-max", "bps_rd_max": "bps-read-max", "bps_wr_max": "bps-write-max",
	"iops_size": "iops-size", "group": "group",
}

// throttling takes the limits out of o. Names that are none stay.
func (d *Drive) throttling(o *Opts) error {
	for old, now := range limitAliases {
		v, ok := o.Get(old)
		if !ok {
			continue
		}
		now = throttlingPrefix + now
		if _, both := o.Get(now); both {
			return qerr.New("'%s' and its alias '%s' can't be used at the same time", now, old)
		}
		o.Set(now, v)
		o.Delete(old)
	}
	d.Group = o.String(throttlingPrefix+"group", "")
	o.Delete(throttlingPrefix + "group")
	for _, name := range limitNames() {
		full := throttlingPrefix + name
		if _, ok := o.Get(full); !ok {
			continue
		}
		n, err := o.Number(full, 0)
		if err != nil {
			return err
		}
		if d.Limits == nil {
			d.Limits = make(map[string]uint64)
		}
		d.Limits[name] = n
		o.Delete(full)
	}
	return nil
}

const throttlingPrefix = "throttling."

// limitNames are those of QAPI's ThrottleLimits.
func limitNames() []string {
	names := []string{"iops-size"}
	for _, base := range []string{"iops-total", "iops-read", "iops-write", "bps-total", "bps-read", "bps-write"} {
		names = append(names, base, base+"-max", base+"-max-length")
	}
	return names
}

func (d *Drive) check() error {
	switch {
	case d.Media != "disk" && d.Media != "cdrom":
		return qerr.New("'%s' invalid media", d.Media)
	case d.Interface != "" && !slices.Contains(interfaces, d.Interface):
		return qerr.New("unsupported bus type '%s'", d.Interface)
	case d.Index != -1 && (d.Bus != -1 || d.Unit != -1):
		return qerr.New("index cannot be used with bus and unit")
	}
	for _, a := range []struct {
		value, what string
		allowed     []string
	}{
		{d.OnWriteError, "write", []string{"", "ignore", "enospc", "stop", "report", "auto"}},
		{d.OnReadError, "read", []string{"", "ignore", "stop", "report", "auto"}},
	} {
		if !slices.Contains(a.allowed, a.value) {
			return qerr.New("'%s' invalid %s error action", a.value, a.what)
		}
	}
	return nil
}

// node moves what is left of o to d.Node, under the names of blockdev-add.
func (d *Drive) node(o *Opts) error {
	if mode, ok := o.Get("cache"); ok {
		m, ok := cacheModes[mode]
		if !ok {
			return qerr.New("invalid cache option")
		}
		o.Delete("cache")
		for i, name := range []string{"cache.writeback", "cache.direct", "cache.no-flush"} {
			if _, ok := o.Get(name); !ok {
				o.Set(name, m[i])
			}
		}
	}
	for _, c := range []struct {
		name    string
		allowed []string
		refuse  string
	}{
		{"aio", []string{"threads", "native", "io_uring"}, "invalid aio option"},
		{"discard", []string{"ignore", "off", "unmap", "on"}, "Invalid discard option"},
		{"detect-zeroes", []string{"off", "on", "unmap"}, "invalid parameter value: %s"},
	} {
		if v, ok := o.Get(c.name); ok && !slices.Contains(c.allowed, v) {
			return qerr.New("%s", strings.ReplaceAll(c.refuse, "%s", v))
		}
	}
	for name, v := range o.All() {
		if name == "format" {
			name = "driver"
		}
		d.Node.Set(name, v)
	}
	if !d.Node.Has("driver") && d.File == "" && d.Node.Len() > 0 {
		return qerr.New("Must specify either driver or file")
	}
	if d.ReadOnly {
		d.Node.Set("read-only", "on")
	}
	return nil
}
