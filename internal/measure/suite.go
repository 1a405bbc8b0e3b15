package measure

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/backplane-vm/backplane/guest/demo"
)

// A Row is one figure of a measurement.
type Row struct {
	Name string
	Unit Unit
}

// A Unit says what samples are.
type Unit string

// The units.
const (
	Nanoseconds Unit = "ns"
	Bytes       Unit = "bytes"
	Ratio       Unit = "ratio"
	PerSecond   Unit = "1/s" // the one of which more is better
)

// A Measurement is what one run of machines tells.
type Measurement struct {
	Name  string // to select it by
	About string // one line
	Rows  []Row
	// Round runs a machine, or several, and returns samples for each row.
	Round func(ctx context.Context, e *Emulator) ([][]float64, error)
}

// Sizes of a round: enough for a median that holds still, few enough that a
// round on QEMU stays within some seconds.
const (
	roundTrips = 1000 // of query-status
	replies    = 50   // of device_add
	cycles     = 10
	greetings  = 5

	// ManyPorts is how many root ports the many-ports machine has; the medians
	// of the first and the last tenth are compared.
	ManyPorts = 200

	// DiskSectors is the size of a measured disk: 8 MiB.
	DiskSectors = 16384
)

// Suite returns all measurements.
func Suite() []Measurement {
	ns := func(names ...string) (rows []Row) {
		for _, n := range names {
			rows = append(rows, Row{n, Nanoseconds})
		}
		return rows
	}
	many := func(guest string) []Row {
		return append(ns("first 20 of 200 ports, guest "+guest, "last 20 of 200 ports, guest "+guest), Row{"  last / first", Ratio})
	}
	return append(monitorSuite(), []Measurement{
		{"device_add", "the reply of device_add virtio-rng-pci, guest stopped and guest running",
			ns("device_add reply, guest stopped", "device_add reply, guest running"), addReplies},
		{"device_add-fails", "the reply of a device_add that fails (its drive does not exist)",
			ns("device_add reply, failing"), roundOf(failing)},
		{"cycle", "a disk's plug until the guest has read it, its unplug until it is finalised",
			ns("plug to first sector read", "unplug to DEVICE_DELETED"), roundOf(cycling)},
		{"start", "exec to the QMP greeting", ns("exec to QMP greeting"), starting},
		{"memory", "resident memory of the machine once its guest is up",
			[]Row{{"resident memory, idle", Bytes}}, roundOf(memory)},
		{"ports", "device_add virtio-rng-pci behind 200 root ports, guest stopped", many("stopped"), manyRound(false)},
		{"ports-running", "the same with the guest running, which brings each up before the next", many("running"), manyRound(true)},
	}...)
}

// OnePort is the port of machines with one, and its flag.
func OnePort() (Port, []string) {
	p := Port{Bus: "rp0", Slot: 1}
	return p, p.flag("")
}

// Ports returns n root ports, eight to a slot of the root bus, and their flags.
func Ports(n int) (ports []Port, flags []string) {
	for i := range n {
		p := Port{Bus: fmt.Sprintf("rp%d", i), Slot: uint64(i + 1)}
		ports = append(ports, p)
		flags = append(flags, p.flag(fmt.Sprintf(",multifunction=on,addr=%x.%x", 1+i/8, i%8))...)
	}
	return ports, flags
}

// roundOf makes a round of a function that measures a machine with one port
// whose guest is up.
func roundOf(f func(ctx context.Context, p *Process, port Port) ([][]float64, error)) func(context.Context, *Emulator) ([][]float64, error) {
	return func(ctx context.Context, e *Emulator) (samples [][]float64, err error) {
		port, flags := OnePort()
		err = e.with(ctx, flags, func(p *Process) error {
			if _, err := p.Log.Ready(ctx); err != nil {
				return err
			}
			samples, err = f(ctx, p, port)
			return err
		})
		return samples, err
	}
}

// with runs f on a machine.
func (e *Emulator) with(ctx context.Context, flags []string, f func(*Process) error) error {
	p, err := e.Start(ctx, flags...)
	if err != nil {
		return err
	}
	err = f(p)
	if stopped := p.Stop(ctx); err == nil {
		err = stopped
	}
	if err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	return nil
}

// repeat collects n samples of a span.
func repeat(n int, f func(i int) (Span, error)) ([][]float64, error) {
	samples := make([]float64, 0, n)
	for i := range n {
		span, err := f(i)
		if err != nil {
			return nil, err
		}
		samples = append(samples, float64(span.Took()))
	}
	return [][]float64{samples}, nil
}

func failing(ctx context.Context, p *Process, port Port) ([][]float64, error) {
	return repeat(replies, func(int) (Span, error) { return p.FailToAdd(ctx, port.Bus) })
}

// RNGStopped plugs a virtio-rng-pci into the port of a machine whose guest has
// never run, and takes it out again, which needs no guest: the slot has no power.
func (s *Subject) RNGStopped(ctx context.Context, port Port) (Span, error) {
	span, err := s.AddRNG(ctx, "rng", port.Bus)
	if err == nil {
		_, err = s.Remove(ctx, "rng")
	}
	return span, err
}

// RNGRunning plugs a virtio-rng-pci in, and takes it out once the guest has it.
func (s *Subject) RNGRunning(ctx context.Context, port Port) (Span, error) {
	cursor := s.Log.Cursor()
	span, err := s.AddRNG(ctx, "rng", port.Bus)
	if err != nil {
		return span, err
	}
	if _, err = s.await(ctx, cursor, port, demo.EventUp); err != nil {
		return span, err
	}
	if _, err = s.Remove(ctx, "rng"); err != nil {
		return span, err
	}
	_, err = s.await(ctx, cursor, port, demo.EventRemoved)
	return span, err
}

func addReplies(ctx context.Context, e *Emulator) ([][]float64, error) {
	var stopped [][]float64
	port, flags := OnePort()
	err := e.with(ctx, append(flags, "-S"), func(p *Process) (err error) {
		stopped, err = repeat(replies, func(int) (Span, error) { return p.RNGStopped(ctx, port) })
		return err
	})
	if err != nil {
		return nil, err
	}
	running, err := roundOf(func(ctx context.Context, p *Process, port Port) ([][]float64, error) {
		return repeat(replies, func(int) (Span, error) { return p.RNGRunning(ctx, port) })
	})(ctx, e)
	return append(stopped, running...), err
}

// MakeDisk makes a formatted image of DiskSectors sectors.
func MakeDisk(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	err = demo.FormatDisk(file, DiskSectors)
	if closed := file.Close(); err == nil {
		err = closed
	}
	return err
}

func cycling(ctx context.Context, p *Process, port Port) ([][]float64, error) {
	dir, err := os.MkdirTemp("", "backplane-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	disk := NewDisk(filepath.Join(dir, "disk.img"), port)
	if err := MakeDisk(disk.Path); err != nil {
		return nil, err
	}
	samples := make([][]float64, 2)
	for range cycles {
		c, err := p.Cycle(ctx, disk)
		if err == nil {
			err = c.Confirmed()
		}
		if err != nil {
			return nil, err
		}
		samples[0] = append(samples[0], float64(c.Read.Time-c.Plug.Asked))
		samples[1] = append(samples[1], float64(c.Unplug.Deleted-c.Unplug.Asked))
	}
	return samples, nil
}

func starting(ctx context.Context, e *Emulator) ([][]float64, error) {
	return repeat(greetings, func(int) (Span, error) { return e.Greeting(ctx) })
}

func memory(_ context.Context, p *Process, _ Port) ([][]float64, error) {
	n, err := p.Resident()
	return [][]float64{{float64(n)}}, err
}

// FillPorts plugs a virtio-rng-pci behind each port and returns the replies'
// times, in nanoseconds. With a guest running, each device is brought up before
// the next one is plugged.
func (s *Subject) FillPorts(ctx context.Context, ports []Port, running bool) ([]float64, error) {
	samples, err := repeat(len(ports), func(i int) (Span, error) {
		cursor := s.Log.Cursor()
		span, err := s.AddRNG(ctx, fmt.Sprintf("rng%d", i), ports[i].Bus)
		if err == nil && running {
			_, err = s.await(ctx, cursor, ports[i], demo.EventUp)
		}
		return span, err
	})
	if err != nil {
		return nil, err
	}
	return samples[0], nil
}

// Tenths returns the first and the last tenth of samples.
func Tenths(samples []float64) (first, last []float64) {
	n := max(1, len(samples)/10)
	return samples[:n], samples[len(samples)-n:]
}

func manyRound(running bool) func(context.Context, *Emulator) ([][]float64, error) {
	return func(ctx context.Context, e *Emulator) (samples [][]float64, err error) {
		ports, flags := Ports(ManyPorts)
		if !running {
			flags = append(flags, "-S")
		}
		err = e.with(ctx, flags, func(p *Process) error {
			if running {
				if _, err := p.Log.Ready(ctx); err != nil {
					return err
				}
			}
			all, err := p.FillPorts(ctx, ports, running)
			if err != nil {
				return err
			}
			first, last := Tenths(all)
			samples = [][]float64{first, last, {Summarise(last).Median / Summarise(first).Median}}
			return nil
		})
		return samples, err
	}
}
