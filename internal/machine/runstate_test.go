package machine_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/riscv"
)

const (
	ramBase    = 0x80000000
	deviceBase = 0x10000000
)

// stuckMachine has a CPU that reads from a device over and over; while the
// device is held the CPU cannot leave it.
func stuckMachine(t *testing.T) (m *machine.Machine, inside, leave chan bool) {
	t.Helper()
	inside, leave = make(chan bool), make(chan bool)
	m = machine.New(machine.Config{Registry: qdev.NewRegistry(), Warn: func(s string) { t.Log(s) }})
	m.Locked("device", func() {
		m.Memory.Add(deviceBase, m.Map.IO(nil, "device", 4, &mem.Ops{Lockless: true,
			Read: func(uint64, uint) (uint64, mem.Result) {
				inside <- true
				<-leave
				return 0, mem.OK
			}}))
	})
	program := make([]byte, 4096)
	for i, instruction := range []uint32{
		0x100002b7, // lui t0, 0x10000
		0x0002a303, // lw t1, 0(t0)
		0xffdff06f, // j -4
	} {
		binary.LittleEndian.PutUint32(program[4*i:], instruction)
	}
	memory, err := riscv.NewMemory(riscv.Region{Base: ramBase, Bytes: program})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.AddCPU(riscv.Config{Memory: memory, ResetPC: ramBase}); err != nil {
		t.Fatal(err)
	}
	m.Start()
	t.Cleanup(m.Close)
	return m, inside, leave
}

// TestPausingIsUndone: a change of state that waits for a CPU is cancelled; the
// CPU goes on as if nothing had been.
func TestPausingIsUndone(t *testing.T) {
	reason := errors.New("enough")
	for name, change := range map[string]func(m *machine.Machine, co *coro.Co) error{
		"stop":  func(m *machine.Machine, co *coro.Co) error { return m.Stop(co) },
		"reset": func(m *machine.Machine, co *coro.Co) error { return m.Reset(co, machine.HostQMPSystemReset) },
		"inspect": func(m *machine.Machine, co *coro.Co) error {
			return m.Inspect(co, m.CPUs()[0], func(*riscv.Hart) { t.Error("the CPU does not stand still") })
		},
		"still": func(m *machine.Machine, co *coro.Co) error { return m.Still(co, func() { t.Error("the guest runs") }) },
	} {
		t.Run(name, func(t *testing.T) {
			m, inside, leave := stuckMachine(t)
			m.Observe(func(e machine.Event) {
				if _, ok := e.(machine.Resumed); !ok {
					t.Errorf("%T", e)
				}
			})
			do := func(f func(co *coro.Co)) {
				t.Helper()
				if err := m.Do("test", f); err != nil {
					t.Fatal(err)
				}
			}
			do(func(co *coro.Co) { _ = m.Cont(co) })
			<-inside
			started, answer := make(chan *coro.Scope), make(chan error)
			go func() {
				_ = m.Do(name, func(co *coro.Co) {
					scope := co.Begin()
					defer scope.End()
					started <- scope
					err := change(m, co)
					go func() { answer <- err }()
				})
			}()
			scope := <-started
			for pausing := false; !pausing; {
				do(func(*coro.Co) { pausing = !m.CPUs()[0].Hart().Running() })
			}
			scope.Cancel(reason)
			if err := <-answer; !errors.Is(err, reason) {
				t.Errorf("cancelled: %v", err)
			}
			do(func(*coro.Co) {
				if m.State() != machine.Running || !m.CPUs()[0].Hart().Running() {
					t.Errorf("state %s", m.State())
				}
			})
			leave <- true
			<-inside // it goes on
			close(leave)
			go func() {
				for range inside {
					continue // until the CPU has ended
				}
			}()
			m.Close()
			close(inside)
		})
	}
}
