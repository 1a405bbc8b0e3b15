package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/backplane-vm/backplane"
	guest "github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/internal/measure"
	"github.com/backplane-vm/backplane/qmp"
)

// demoMachine is the machine of the demo, with the client it is watched by.
type demoMachine struct {
	measure.Subject
	machine *backplane.Machine
	dir     string // for the socket; removed at the end
	images  string // for the disks
	log     *os.File
	disk    measure.Disk // plugged and unplugged
	busy    measure.Disk // in from the start
	started int64        // the clock when the guest began to run
	ready   measure.Entry
}

// startDemo makes the machine and waits until its guest is up. When it fails
// nothing is left.
func startDemo(ctx context.Context, o demoOptions) (*demoMachine, error) {
	epoch := time.Now()
	m := new(demoMachine)
	m.Clock = func() int64 { return int64(time.Since(epoch)) }
	err := m.makeImages(o)
	if err == nil {
		err = m.makeMachine(o)
	}
	if err == nil {
		err = m.start(ctx, o)
	}
	if err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// start starts the guest, connects, and waits until the guest is up.
func (m *demoMachine) start(ctx context.Context, o demoOptions) (err error) {
	m.started = m.Clock()
	if err := m.machine.Start(); err != nil {
		return err
	}
	if m.QMP, err = qmp.Dial(ctx, "unix", m.socket()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, demoPatience, errDemoPatience)
	defer cancel()
	if m.ready, err = m.Log.Ready(ctx); err != nil {
		return fmt.Errorf("waiting for the guest to come up: %w", err)
	}
	return nil
}

func (m *demoMachine) socket() string { return filepath.Join(m.dir, "qmp") }

// makeImages makes the directory, both disks in it, and the log.
func (m *demoMachine) makeImages(o demoOptions) (err error) {
	if m.dir, err = os.MkdirTemp("", "backplane-"); err != nil {
		return err
	}
	m.images = m.dir
	if o.keep != "" {
		if err := os.MkdirAll(o.keep, 0o777); err != nil {
			return err
		}
		m.images = o.keep
		if m.log, err = os.Create(filepath.Join(o.keep, "guest.log")); err != nil {
			return err
		}
	}
	ports, _ := measure.Ports(2)
	m.disk = measure.NewDisk(filepath.Join(m.images, "disk.img"), ports[0])
	m.busy = measure.NewDisk(filepath.Join(m.images, "busy.img"), ports[1])
	for _, d := range []measure.Disk{m.disk, m.busy} {
		if err := measure.MakeDisk(d.Path); err != nil {
			return err
		}
	}
	return nil
}

func (m *demoMachine) makeMachine(o demoOptions) (err error) {
	m.Log = measure.NewLog(m.Clock)
	var console io.Writer = m.Log
	if m.log != nil {
		console = io.MultiWriter(m.Log, m.log)
	}
	_, ports := measure.Ports(2)
	m.machine, err = backplane.New(backplane.Config{Console: console, Args: append([]string{
		"-M", "virt", "-nodefaults", "-display", "none", "-smp", strconv.Itoa(o.harts), "-m", "128",
		"-kernel", "builtin:demo", "-qmp", "unix:" + m.socket() + ",server=on,wait=off",
		"-drive", "if=none,format=raw,id=" + m.busy.Node + ",file=" + m.busy.Path,
	}, append(ports,
		"-device", "virtio-blk-pci,id="+m.busy.ID+",bus="+m.busy.Port.Bus+",drive="+m.busy.Node)...)})
	return err
}

// finish takes the other disk out, ends the machine and looks at what is on
// the disks.
func (m *demoMachine) finish(ctx context.Context, r *demoReport) {
	if r.stopped == nil {
		r.busyIO, r.stopped = m.releaseBusy(ctx)
	}
	r.guestFailures = m.Log.Failures()
	m.end()
	r.disk, r.diskErr = verifyImage(m.disk.Path)
	r.busy, r.busyErr = verifyImage(m.busy.Path)
}

// releaseBusy unplugs the other disk; the guest then says how much it did.
func (m *demoMachine) releaseBusy(ctx context.Context) (io guest.Line, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, demoPatience, errDemoPatience)
	defer cancel()
	cursor := m.Log.Cursor()
	if _, err := m.Remove(ctx, m.busy.ID); err != nil {
		return io, err
	}
	_, err = m.Log.Wait(ctx, cursor, func(l guest.Line) bool {
		slot, ok := l.Uint("slot")
		mine := ok && slot == m.busy.Port.Slot
		if mine && l.Event == guest.EventIO {
			io = l
		}
		return mine && l.Event == guest.EventRemoved
	})
	return io, err
}

func verifyImage(path string) (guest.Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return guest.Report{}, err
	}
	defer file.Close()
	return guest.VerifyDisk(file, measure.DiskSectors)
}

// end ends the machine, if it has not ended.
func (m *demoMachine) end() {
	if m.QMP != nil {
		m.QMP.Close()
	}
	if m.machine != nil {
		m.machine.Close()
	}
}

// close ends the machine and removes what is not to be kept.
func (m *demoMachine) close() {
	m.end()
	if m.log != nil {
		m.log.Close()
	}
	if m.dir != "" {
		os.RemoveAll(m.dir)
	}
}
