package view

import (
	"fmt"
	"io"
)

// Block is a block device.
type Block struct {
	// Device is the name of a backend made by -drive, empty for others.
	Device string
	// Attached is the id or QOM path of the device that uses it.
	Attached string
	// IOStatus is the state after an I/O error, "ok" or empty without one.
	IOStatus string
	// Removable devices show their tray.
	Removable, Locked, TrayOpen bool
	Inserted                    *Medium // nil when the tray is empty
}

// Medium is a node of the block graph: what is inserted in a block device, or
// one that info block -n lists by itself.
type Medium struct {
	NodeName            string
	File, Driver        string
	ReadOnly, Encrypted bool
	// Cache modes.
	Writeback, Direct, NoFlush bool
	// BackingFile and BackingDepth are of the image chain, empty without.
	BackingFile  string
	BackingDepth int
	// DetectZeroes is "off", "on" or "unmap"; "" counts as "off".
	DetectZeroes string
	Throttle     *Throttle // nil when no limit is set
	// Images is the chain from the top, shown with -v.
	Images []Image
}

// Throttle holds the limits of a block device, in bytes or operations per
// second; bursts are the Max members. 0 is no limit.
type Throttle struct {
	BPS, BPSRead, BPSWrite             uint64
	BPSMax, BPSReadMax, BPSWriteMax    uint64
	IOPS, IOPSRead, IOPSWrite          uint64
	IOPSMax, IOPSReadMax, IOPSWriteMax uint64
	IOPSSize                           uint64
	Group                              string
}

// Image is one image of a chain, as info block -v shows it.
type Image struct {
	File, Format string
	VirtualSize  uint64
	// DiskSize is what the image takes on the disk, -1 if that is unknown.
	DiskSize    int64
	Encrypted   bool
	ClusterSize uint64 // 0 for formats without clusters
	Dirty       bool   // was not closed
	// BackingName is the backing file as the image names it, BackingFile
	// where that leads, BackingFormat its format. Empty without.
	BackingName, BackingFile, BackingFormat string
}

// BlockOptions are the arguments of info block.
type BlockOptions struct {
	// Name, if not empty, restricts the list to the device of this name or,
	// if there is none, to the node.
	Name    string
	Nodes   bool // -n: nodes instead of devices
	Verbose bool // -v: images too
}

// PrintBlocks writes what info block shows. Between two entries stands a blank
// line, and, as in QEMU, before an entry that is not the first of its list even
// if the others are not shown.
func PrintBlocks(w io.Writer, devices []Block, nodes []Medium, opt BlockOptions) {
	if !opt.Nodes {
		if printDevices(w, devices, opt) || opt.Name == "" {
			return
		}
	}
	for i := range nodes {
		if opt.Name == "" || opt.Name == nodes[i].NodeName {
			fmt.Fprint(w, when(i > 0, "\n"))
			node := Block{Inserted: &nodes[i]}
			node.print(w, opt.Verbose)
		}
	}
}

func printDevices(w io.Writer, devices []Block, opt BlockOptions) (printed bool) {
	for i := range devices {
		if opt.Name == "" || opt.Name == devices[i].Device {
			fmt.Fprint(w, when(i > 0, "\n"))
			devices[i].print(w, opt.Verbose)
			printed = true
		}
	}
	return printed
}

func (b *Block) print(w io.Writer, verbose bool) {
	fmt.Fprint(w, b.title())
	m := b.Inserted
	if m == nil {
		fmt.Fprint(w, ": [not inserted]\n")
	} else {
		fmt.Fprintf(w, ": %s (%s%s%s)\n", m.File, m.Driver, when(m.ReadOnly, ", read-only"), when(m.Encrypted, ", encrypted"))
	}
	if b.Attached != "" {
		fmt.Fprintf(w, "    Attached to:      %s\n", b.Attached)
	}
	if b.IOStatus != "" && b.IOStatus != "ok" {
		fmt.Fprintf(w, "    I/O status:       %s\n", b.IOStatus)
	}
	if b.Removable {
		tray := "closed"
		if b.TrayOpen {
			tray = "open"
		}
		fmt.Fprintf(w, "    Removable device: %slocked, tray %s\n", when(!b.Locked, "not "), tray)
	}
	if m != nil {
		m.print(w, verbose)
	}
}

func when(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

// title names the block the best way there is.
func (b *Block) title() string {
	node := ""
	if b.Inserted != nil {
		node = b.Inserted.NodeName
	}
	switch {
	case b.Device != "" && node != "":
		return fmt.Sprintf("%s (%s)", b.Device, node)
	case b.Device != "":
		return b.Device
	case node != "":
		return node
	case b.Attached != "":
		return b.Attached
	}
	return "<anonymous>"
}

func (m *Medium) print(w io.Writer, verbose bool) {
	mode := "writethrough"
	if m.Writeback {
		mode = "writeback"
	}
	fmt.Fprintf(w, "    Cache mode:       %s%s%s\n", mode, when(m.Direct, ", direct"), when(m.NoFlush, ", ignore flushes"))
	if m.BackingFile != "" {
		fmt.Fprintf(w, "    Backing file:     %s (chain depth: %d)\n", m.BackingFile, m.BackingDepth)
	}
	if m.DetectZeroes != "" && m.DetectZeroes != "off" {
		fmt.Fprintf(w, "    Detect zeroes:    %s\n", m.DetectZeroes)
	}
	if m.Throttle != nil {
		m.Throttle.print(w)
	}
	if verbose && len(m.Images) > 0 {
		fmt.Fprint(w, "\nImages:\n")
		for i := range m.Images {
			m.Images[i].print(w)
		}
	}
}

func (t *Throttle) print(w io.Writer) {
	fmt.Fprintf(w, "    I/O throttling:   bps=%d bps_rd=%d bps_wr=%d bps_max=%d bps_rd_max=%d bps_wr_max=%d"+
		" iops=%d iops_rd=%d iops_wr=%d iops_max=%d iops_rd_max=%d iops_wr_max=%d iops_size=%d group=%s\n",
		t.BPS, t.BPSRead, t.BPSWrite, t.BPSMax, t.BPSReadMax, t.BPSWriteMax,
		t.IOPS, t.IOPSRead, t.IOPSWrite, t.IOPSMax, t.IOPSReadMax, t.IOPSWriteMax, t.IOPSSize, t.Group)
}

func (i *Image) print(w io.Writer) {
	disk := "unavailable"
	if i.DiskSize >= 0 {
		disk = Size(uint64(i.DiskSize))
	}
	fmt.Fprintf(w, "image: %s\nfile format: %s\nvirtual size: %s (%d bytes)\ndisk size: %s\n",
		i.File, i.Format, Size(i.VirtualSize), i.VirtualSize, disk)
	if i.Encrypted {
		fmt.Fprint(w, "encrypted: yes\n")
	}
	if i.ClusterSize != 0 {
		fmt.Fprintf(w, "cluster_size: %d\n", i.ClusterSize)
	}
	if i.Dirty {
		fmt.Fprint(w, "cleanly shut down: no\n")
	}
	if i.BackingName == "" {
		return
	}
	switch i.BackingFile {
	case "":
		fmt.Fprintf(w, "backing file: %s (cannot determine actual path)\n", i.BackingName)
	case i.BackingName:
		fmt.Fprintf(w, "backing file: %s\n", i.BackingName)
	default:
		fmt.Fprintf(w, "backing file: %s (actual path: %s)\n", i.BackingName, i.BackingFile)
	}
	if i.BackingFormat != "" {
		fmt.Fprintf(w, "backing file format: %s\n", i.BackingFormat)
	}
}
