package backplane_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/backplane-vm/backplane"
	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/internal/measure"
	"github.com/backplane-vm/backplane/qmp"
)

// The benchmarks measure what `backplane bench` measures, with the machine in
// this process. Where only a part of an iteration is the thing measured, ns/op
// is the median of that part, and B/op and allocs/op are the whole's.
// Coroutine switches and RCU sections have theirs in coro and rcu.

// benchMachine is a machine whose QMP socket a client is connected to.
type benchMachine struct {
	measure.Subject
	machine *backplane.Machine
}

func newBenchMachine(b *testing.B, flags ...string) *benchMachine {
	b.Helper()
	before := runtime.GOMAXPROCS(0) // Start raises it
	b.Cleanup(func() { runtime.GOMAXPROCS(before) })
	epoch := time.Now()
	clock := func() int64 { return int64(time.Since(epoch)) }
	m := &benchMachine{Subject: measure.Subject{Log: measure.NewLog(clock), Clock: clock}}
	socket := filepath.Join(b.TempDir(), "qmp")
	var err error
	m.machine, err = backplane.New(backplane.Config{Console: m.Log, Args: append([]string{
		"-M", "virt", "-smp", "2", "-m", "128", "-kernel", "builtin:demo", "-qmp", "unix:" + socket + ",server=on,wait=off",
	}, flags...)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(m.machine.Close)
	if err := m.machine.Start(); err != nil {
		b.Fatal(err)
	}
	if m.QMP, err = qmp.Dial(b.Context(), "unix", socket); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.QMP.Close() })
	return m
}

// onePort returns a machine with one root port whose guest is up.
func onePort(b *testing.B, flags ...string) (*benchMachine, measure.Port) {
	b.Helper()
	port, portFlags := measure.OnePort()
	m := newBenchMachine(b, append(portFlags, flags...)...)
	if len(flags) == 0 {
		if _, err := m.Log.Ready(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	return m, port
}

// spans runs f as a benchmark whose ns/op is the median of its spans.
func spans(b *testing.B, f func(context.Context) (measure.Span, error)) {
	b.Helper()
	b.ReportAllocs()
	var samples []float64
	for b.Loop() {
		span, err := f(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		samples = append(samples, float64(span.Took()))
	}
	b.ReportMetric(measure.Summarise(samples).Median, "ns/op")
}

// BenchmarkQueryStatus is a round trip over a unix socket.
func BenchmarkQueryStatus(b *testing.B) {
	m, _ := onePort(b)
	spans(b, m.QueryStatus)
}

// BenchmarkDeviceAdd is device_add's reply for a virtio-rng-pci.
func BenchmarkDeviceAdd(b *testing.B) {
	b.Run("stopped", func(b *testing.B) {
		m, port := onePort(b, "-S")
		spans(b, func(ctx context.Context) (measure.Span, error) { return m.RNGStopped(ctx, port) })
	})
	b.Run("running", func(b *testing.B) {
		m, port := onePort(b)
		spans(b, func(ctx context.Context) (measure.Span, error) { return m.RNGRunning(ctx, port) })
	})
	b.Run("failing", func(b *testing.B) {
		m, port := onePort(b)
		spans(b, func(ctx context.Context) (measure.Span, error) { return m.FailToAdd(ctx, port.Bus) })
	})
}

// BenchmarkCycle is a disk's life: plugged, read, written and verified by the
// guest, unplugged. The metrics are medians of its phases.
func BenchmarkCycle(b *testing.B) {
	m, port := onePort(b)
	disk := measure.NewDisk(filepath.Join(b.TempDir(), "disk.img"), port)
	if err := measure.MakeDisk(disk.Path); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	var read, deleted []float64
	for b.Loop() {
		c, err := m.Cycle(b.Context(), disk)
		if err == nil {
			err = c.Confirmed()
		}
		if err != nil {
			b.Fatal(err)
		}
		read = append(read, float64(c.Read.Time-c.Plug.Asked))
		deleted = append(deleted, float64(c.Unplug.Deleted-c.Unplug.Asked))
	}
	b.ReportMetric(measure.Summarise(read).Median, "ns/plug-to-first-read")
	b.ReportMetric(measure.Summarise(deleted).Median, "ns/unplug-to-deleted")
}

// BenchmarkPlugUnplug is the Go API's Plug and Unplug, without a socket: the
// metrics are the medians of each call. In between the guest brings the card
// up, and sees that it is gone.
func BenchmarkPlugUnplug(b *testing.B) {
	m, port := onePort(b)
	b.ReportAllocs()
	says := func(cursor int, event string) {
		if _, err := m.Log.Wait(b.Context(), cursor, func(l demo.Line) bool { return l.Event == event }); err != nil {
			b.Fatal(err)
		}
	}
	var plug, unplug []float64
	for b.Loop() {
		cursor, began := m.Log.Cursor(), m.Clock()
		if err := m.machine.Plug(b.Context(), backplane.Device{Driver: "virtio-rng-pci", ID: "rng", Bus: port.Bus}); err != nil {
			b.Fatal(err)
		}
		plug = append(plug, float64(m.Clock()-began))
		says(cursor, demo.EventUp)
		began = m.Clock()
		if err := m.machine.Unplug(b.Context(), "rng"); err != nil {
			b.Fatal(err)
		}
		unplug = append(unplug, float64(m.Clock()-began))
		says(cursor, demo.EventRemoved)
	}
	b.ReportMetric(measure.Summarise(plug).Median, "ns/plug")
	b.ReportMetric(measure.Summarise(unplug).Median, "ns/unplug")
}

// BenchmarkManyPorts plugs a virtio-rng-pci behind each of 200 root ports: the
// last may take no longer than the first.
func BenchmarkManyPorts(b *testing.B) {
	for _, running := range []bool{false, true} {
		name, flags := "stopped", []string{"-S"}
		if running {
			name, flags = "running", nil
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var first, last []float64
			for b.Loop() {
				f, l := fillPorts(b, running, flags)
				first, last = append(first, f...), append(last, l...)
			}
			one, other := measure.Summarise(first).Median, measure.Summarise(last).Median
			b.ReportMetric(one, "ns/first-tenth")
			b.ReportMetric(other, "ns/last-tenth")
			b.ReportMetric(other/one, "last/first")
		})
	}
}

// fillPorts makes a machine with 200 ports, fills them, and returns the times
// of the first and the last tenth.
func fillPorts(b *testing.B, running bool, flags []string) (first, last []float64) {
	b.Helper()
	ports, portFlags := measure.Ports(measure.ManyPorts)
	m := newBenchMachine(b, append(portFlags, flags...)...)
	defer m.machine.Close()
	defer m.QMP.Close()
	if running {
		if _, err := m.Log.Ready(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	samples, err := m.FillPorts(b.Context(), ports, running)
	if err != nil {
		b.Fatal(err)
	}
	return measure.Tenths(samples)
}

// binary builds the command and returns it as something to start.
func binary(b *testing.B) *measure.Emulator {
	b.Helper()
	path := filepath.Join(b.TempDir(), "backplane")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", path, "./cmd/backplane").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	epoch := time.Now()
	return &measure.Emulator{
		Name: "backplane", Program: path, Guest: []string{"-kernel", "builtin:demo"},
		Dir: b.TempDir(), Clock: func() int64 { return int64(time.Since(epoch)) },
	}
}

// BenchmarkGreeting is the time from exec to the QMP greeting.
func BenchmarkGreeting(b *testing.B) { spans(b, binary(b).Greeting) }

// BenchmarkIdleMemory reports the resident memory of a machine of 128 MiB with
// two harts whose guest is up.
func BenchmarkIdleMemory(b *testing.B) {
	e := binary(b)
	_, flags := measure.OnePort()
	var samples []float64
	for b.Loop() {
		p, err := e.Start(b.Context(), flags...)
		if err != nil {
			b.Fatal(err)
		}
		_, err = p.Log.Ready(b.Context())
		n, e := p.Resident()
		samples = append(samples, float64(n)/(1<<20))
		if stopped := p.Stop(b.Context()); err != nil || e != nil || stopped != nil {
			b.Fatal(err, e, stopped)
		}
	}
	b.ReportMetric(measure.Summarise(samples).Median, "MiB")
}
