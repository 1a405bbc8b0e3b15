package view

import (
	"bytes"
	"io"
	"testing"
)

// Layouts that the references do not show; observed on QEMU 7.2.22 where 10.0
// has the same.

func printed(f func(io.Writer)) string {
	var b bytes.Buffer
	f(&b)
	return b.String()
}

func TestBlockLayout(t *testing.T) {
	disk := Block{
		Device: "h0", Attached: "/machine/peripheral/vb/virtio-backend", IOStatus: "nospace",
		Inserted: &Medium{
			NodeName: "#block131", File: "/o.qcow2", Driver: "qcow2", Encrypted: true,
			Writeback: true, Direct: true, BackingFile: "/r.img", BackingDepth: 1, DetectZeroes: "on",
			Throttle: &Throttle{BPS: 1000000, Group: "h0"},
			Images: []Image{
				{File: "/o.qcow2", Format: "qcow2", VirtualSize: 1 << 20, DiskSize: 196 << 10, ClusterSize: 65536,
					Encrypted: true, Dirty: true, BackingName: "r.img", BackingFile: "/r.img", BackingFormat: "raw"},
				{File: "/r.img", Format: "raw", VirtualSize: 1 << 20, DiskSize: -1},
				{File: "a", Format: "qcow2", BackingName: "b"},
				{File: "a", Format: "qcow2", BackingName: "b", BackingFile: "b"},
			},
		},
	}
	const head = `h0 (#block131): /o.qcow2 (qcow2, encrypted)
    Attached to:      /machine/peripheral/vb/virtio-backend
    I/O status:       nospace
    Cache mode:       writeback, direct
    Backing file:     /r.img (chain depth: 1)
    Detect zeroes:    on
    I/O throttling:   bps=1000000 bps_rd=0 bps_wr=0 bps_max=0 bps_rd_max=0 bps_wr_max=0 iops=0 iops_rd=0 iops_wr=0 iops_max=0 iops_rd_max=0 iops_wr_max=0 iops_size=0 group=h0
`
	const images = `
Images:
image: /o.qcow2
file format: qcow2
virtual size: 1 MiB (1048576 bytes)
disk size: 196 KiB
encrypted: yes
cluster_size: 65536
cleanly shut down: no
backing file: r.img (actual path: /r.img)
backing file format: raw
image: /r.img
file format: raw
virtual size: 1 MiB (1048576 bytes)
disk size: unavailable
image: a
file format: qcow2
virtual size: 0 B (0 bytes)
disk size: 0 B
backing file: b (cannot determine actual path)
image: a
file format: qcow2
virtual size: 0 B (0 bytes)
disk size: 0 B
backing file: b
`
	const cdrom = `cd0: [not inserted]
    Attached to:      cd
    Removable device: not locked, tray closed
`
	const node = `n0: null-co:// (null-co, read-only)
    Cache mode:       writethrough, ignore flushes
`
	devices := []Block{disk,
		{Device: "cd0", Attached: "cd", Removable: true},
		{Attached: "tray", Removable: true, Locked: true, TrayOpen: true},
		{},
	}
	const odd = "tray: [not inserted]\n    Attached to:      tray\n    Removable device: locked, tray open\n\n<anonymous>: [not inserted]\n"
	nodes := []Medium{
		{NodeName: "f0", File: "/r.img", Driver: "file", Writeback: true},
		{NodeName: "n0", File: "null-co://", Driver: "null-co", ReadOnly: true, NoFlush: true},
	}
	const file = "f0: /r.img (file)\n    Cache mode:       writeback\n"
	for _, c := range []struct {
		opt  BlockOptions
		want string
	}{
		{BlockOptions{}, head + "\n" + cdrom + "\n" + odd},
		{BlockOptions{Name: "h0", Verbose: true}, head + images},
		{BlockOptions{Name: "cd0"}, "\n" + cdrom},
		{BlockOptions{Name: "nope"}, ""},
		{BlockOptions{Name: "n0"}, "\n" + node},
		{BlockOptions{Nodes: true}, file + "\n" + node},
		{BlockOptions{Nodes: true, Name: "cd0"}, ""},
	} {
		if got := printed(func(w io.Writer) { PrintBlocks(w, devices, nodes, c.opt) }); got != c.want {
			t.Errorf("%+v:\n%s\nwant:\n%s", c.opt, got, c.want)
		}
	}
	if got := printed(func(w io.Writer) { PrintBlocks(w, nil, nodes, BlockOptions{}) }); got != "" {
		t.Errorf("nodes without devices: %q", got)
	}
}

func TestMTreeOptions(t *testing.T) {
	system := &Region{Name: "system", Kind: "i/o", Last: ^uint64(0), Owners: []Owner{{Parent: true, Path: "/machine/unattached"}},
		Subregions: []*Region{
			{Name: "lost", Kind: "ram", Addr: 0x2000, Last: 0xfff, NonVolatile: true},
			{Name: "typed", Kind: "rom", Addr: 0x1000, Owners: []Owner{{Type: "t"}, {Parent: true, Device: true, ID: "d", Path: "/p"}}},
			{Name: "above", Kind: "rom", Addr: 0x1000, Priority: 1, Owners: []Owner{{Device: true, Path: "/p"}}},
		}}
	container := &Region{Name: "bus master container", Kind: "i/o", Last: ^uint64(0), Owners: []Owner{{Device: true, ID: "rp0"}},
		Subregions: []*Region{
			{Name: "bus master", Kind: "i/o", Last: ^uint64(0), Alias: system, Disabled: true, Owners: []Owner{{Device: true, ID: "rp0"}}},
			{Name: "end", Kind: "i/o", Addr: 0xfffffffffffff000, Last: 0x1fff, Owners: []Owner{{ID: "no device", Path: "/q"}}},
		}}
	want := `address-space: a
address-space: b
  0000000000000000-ffffffffffffffff (prio 0, i/o): bus master container owner:{dev id=rp0}
    0000000000000000-ffffffffffffffff (prio 0, i/o): alias bus master @system 0000000000000000-ffffffffffffffff [disabled] owner:{dev id=rp0}
[DETECTED OVERFLOW!]     fffffffffffff000-0000000000000fff (prio 0, i/o): end owner:{obj path=/q}

memory-region: system
  0000000000000000-ffffffffffffffff (prio 0, i/o): system parent:{obj path=/machine/unattached}
    0000000000001000-0000000000001000 (prio 1, rom): above owner:{dev path=/p}
    0000000000001000-0000000000001000 (prio 0, rom): typed owner:{obj type=t} parent:{dev id=d}
    0000000000002000-0000000000002fff (prio 0, nv-ram): lost orphan

`
	got := printed(func(w io.Writer) {
		PrintMTree(w, []AddressSpace{{Names: []string{"b", "a"}, Root: container}}, MTreeOptions{Owners: true, Disabled: true})
	})
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	flat := printed(func(w io.Writer) {
		PrintFlatViews(w, []FlatView{{
			Spaces: []FlatSpace{{Name: "m", Root: "r", Alias: "x"}}, Root: "x",
			Ranges: []FlatRange{{Last: 1, Kind: "ram", NonVolatile: true, Name: "n", Offset: 2}},
		}}, true)
	})
	wantFlat := "FlatView #0\n AS \"m\", root: r, alias x\n Root memory region: x\n" +
		"  0000000000000000-0000000000000001 (prio 0, nv-ram): n @0000000000000002 orphan\n\n"
	if flat != wantFlat {
		t.Errorf("got\n%s\nwant\n%s", flat, wantFlat)
	}
}

func TestPCILayout(t *testing.T) {
	got := printed(func(w io.Writer) {
		PrintNoPCI(w)
		PrintPCI(w, []PCIDevice{{Bus: 10, Slot: 31, Function: 7, ClassCode: 255, Vendor: 1, Device: 2, Regions: []PCIRegion{
			{IO: true, Mapped: true, Address: 0x20, Size: 0x40},
			{BAR: 1, IO: true},
			{BAR: 2, Is64: true, Prefetch: true},
		}}})
	})
	want := `PCI devices not supported
  Bus 10, device  31, function 7:
    Class 0255: PCI device 0001:0002
      BAR0: I/O at 0x0020 [0x005f]
      BAR1: I/O (not mapped)
      BAR2: 64 bit prefetchable memory (not mapped)
      id ""
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	details := PCIDetails(PCIFunction{Class: "c", Regions: []PCIRegion{{IO: true, Size: 0x40}}})
	if details[1] != "bar 0: i/o at 0xffffffffffffffff [0x3e]" {
		t.Errorf("details %q", details)
	}
}

func TestMachineLayout(t *testing.T) {
	for _, c := range []struct {
		print func(io.Writer)
		want  string
	}{
		{Status{State: "paused"}.Print, "VM status: paused\n"},
		{Status{State: "shutdown"}.Print, "VM status: paused (shutdown)\n"},
		{func(w io.Writer) { PrintName(w, "") }, ""},
		{func(w io.Writer) { PrintName(w, "vm") }, "vm\n"},
		{func(w io.Writer) { PrintUUID(w, [16]byte{}) }, "00000000-0000-0000-0000-000000000000\n"},
		{func(w io.Writer) { PrintUUID(w, [16]byte{0: 1, 4: 2, 15: 3}) }, "01000000-0200-0000-0000-000000000003\n"},
		{func(w io.Writer) { PrintCPUs(w, []CPU{{0, 1}, {1, 2}}, 1) }, "  CPU #0: thread_id=1\n* CPU #1: thread_id=2\n"},
	} {
		if got := printed(c.print); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[uint64]string{
		0: "0 B", 1: "1 B", 512: "512 B", 999: "999 B", 1000: "0.977 KiB", 1024: "1 KiB", 1536: "1.5 KiB",
		262144: "256 KiB", 4294967295: "4 GiB", 17179869184: "16 GiB", 1 << 50: "1 PiB", 1<<64 - 1: "16 EiB",
	} {
		if got := Size(bytes); got != want {
			t.Errorf("%d: %q, want %q", bytes, got, want)
		}
	}
}
