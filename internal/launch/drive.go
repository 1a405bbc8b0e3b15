package launch

import (
	"github.com/backplane-vm/backplane/internal/opts"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// driveNode puts the node of a -drive into the form of blockdev-add: a format
// over a file.
func driveNode(d *opts.Drive) (*api.BlockdevOptions, error) {
	switch {
	case d.Media == "cdrom":
		return nil, qerr.New("media=cdrom is not supported by this build")
	case d.Snapshot:
		return nil, qerr.New("snapshot=on is not supported by this build")
	}
	n := d.Node.Clone()
	if n.Has("cache") {
		if c, ok := member(n, "cache").(*qobject.Dict); ok {
			c.Delete("writeback") // a property of the device; write-back is what there is
		}
	}
	driver, _ := member(n, "driver").(string)
	if driver == "" {
		driver = "raw" // QEMU would look into the image; a guest can forge what it finds there
	}
	n.Set("driver", driver)
	switch driver {
	case "file":
		n.Set("filename", d.File)
	case "raw", "qcow2":
		n.Set("file", qobject.Members("driver", "file", "filename", d.File))
	}
	if d.ReadOnly {
		n.Set("read-only", "on")
	}
	return decodeNode(n, false)
}

func member(d *qobject.Dict, name string) any {
	v, _ := d.Get(name)
	return v
}
