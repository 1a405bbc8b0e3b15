package blk_test

import (
	"fmt"
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/virtio/blk"
	"github.com/backplane-vm/backplane/internal/virtio/virtiotest"
)

// What the drive property finds on a machine is a Backend.
var _ blk.Backend = (*block.Backend)(nil)

// disk is a backend in memory. Faults it may inject: requests wait while held,
// and fail with err.
type disk struct {
	data     []byte
	readOnly bool
	invalid  [2]int // reads and writes that were refused
	held     bool
	waiting  []*coro.Co
	err      error
	flushes  int
	begun    int // requests
	ended    int
	faults   []bool // requests told of, whether they write
	onFault  string // what they lead to: "ignore", "stop"; "" is to report them
	inUse    bool
	device   any
}

func (d *disk) Claim(bool, bool) error { return nil }
func (d *disk) Sectors() uint64        { return uint64(len(d.data)) / 512 }
func (d *disk) ReadOnly() bool         { return d.readOnly }
func (d *disk) CountInvalid(write bool) {
	if write {
		d.invalid[1]++
	} else {
		d.invalid[0]++
	}
}

func (d *disk) SetDevice(dev any) { d.device = dev }

func (d *disk) SetErrorPolicies(reads, writes string) {
	if reads != "stop" {
		d.onFault = writes
		return
	}
	d.onFault = reads
}

func (d *disk) Failed(write bool, _ error) (ignore, again bool) {
	d.faults = append(d.faults, write)
	return d.onFault == "ignore", d.onFault == "stop"
}

func (d *disk) wait(co *coro.Co) error {
	for d.held {
		d.waiting = append(d.waiting, co)
		co.Yield()
	}
	return d.err
}

func (d *disk) release() {
	d.held = false
	for _, co := range d.waiting {
		co.Wake()
	}
	d.waiting = nil
}

func (d *disk) Begin(co *coro.Co, _ bool, _, _ int64) (int64, error) {
	d.begun++
	return 7, d.wait(co)
}

func (d *disk) End(write bool, began, n int64, err error) {
	if began != 7 {
		panic("a request that was not begun")
	}
	d.ended++
}

func (d *disk) ReadPiece(co *coro.Co, p []byte, off int64) error {
	err := d.wait(co)
	copy(p, d.data[off:])
	return err
}

func (d *disk) WritePiece(co *coro.Co, p []byte, off int64) error {
	if err := d.wait(co); err != nil {
		return err
	}
	copy(d.data[off:], p)
	return nil
}

func (d *disk) Flush(co *coro.Co) error {
	d.flushes++
	return d.wait(co)
}

// shelf finds disks by name.
type shelf map[string]*disk

func (s shelf) Drive(_ qdev.Device, _, name string) (qdev.Ref, error) {
	d := s[name]
	if d == nil {
		return qdev.Ref{}, qdev.ErrNotFound
	}
	if d.inUse {
		return qdev.Ref{}, qdev.ErrInUse
	}
	d.inUse = true
	return qdev.Ref{Name: name, Target: d, Release: func() { d.inUse = false }}, nil
}

// newDisk is a disk of 1 MiB; first and last byte of each sector say which it is.
func newDisk() *disk {
	d := &disk{data: make([]byte, 1<<20)}
	for s := range len(d.data) / 512 {
		d.data[512*s], d.data[512*s+511] = byte(s), byte(s)
	}
	return d
}

func newBoard(t testing.TB) (*virtiotest.Board, *disk) {
	d := newDisk()
	b := virtiotest.New(t, shelf{"n0": d}, blk.Register)
	b.Add("pcie-root-port", "rp0", "chassis", int64(1))
	b.Add("pcie-root-port", "rp1", "chassis", int64(2))
	b.Start()
	return b, d
}

// newBoardWithPorts is a board with n ports p0, p1, … and as many disks n0, n1, ….
func newBoardWithPorts(t testing.TB, n int) (*virtiotest.Board, shelf) {
	disks := shelf{}
	for i := range n {
		disks[fmt.Sprint("n", i)] = &disk{data: make([]byte, 512)}
	}
	b := virtiotest.New(t, disks, blk.Register)
	for i := range n {
		b.Add("pcie-root-port", fmt.Sprint("p", i), "chassis", int64(i%250), "slot", int64(i/250),
			"multifunction", true, "addr", fmt.Sprintf("%x.%x", 1+i/8, i%8))
	}
	b.Start()
	for i := range n {
		b.At(0, 1+i/8, i%8).Open(i+1, i)
	}
	return b, disks
}

// plugged is a board with a running guest driver of a disk behind rp0.
func plugged(t testing.TB, args ...any) (*virtiotest.Board, *disk, *virtiotest.Driver) {
	b, d := newBoard(t)
	b.At(0, 1, 0).Open(1, 0)
	b.Add("virtio-blk-pci", "d0", append([]any{"bus", "rp0", "drive", "n0"}, args...)...)
	powerOn(b)
	b.At(0, 1, 0).Write(sltSta, 0x19, 2)
	drv := b.At(1, 0, 0).Probe(0)
	drv.Start()
	return b, d, drv
}

const expCap, sltCtl, sltSta, lnkSta = 0x54, 0x54 + 0x18, 0x54 + 0x1a, 0x54 + 0x12

func powerOn(b *virtiotest.Board)  { b.At(0, 1, 0).Write(sltCtl, 0x01e0|0x1f, 2) }
func powerOff(b *virtiotest.Board) { b.At(0, 1, 0).Write(sltCtl, 0x07c0, 2) }

var gone = []string{"/machine/peripheral/d0/virtio-backend", "/machine/peripheral/d0"}
