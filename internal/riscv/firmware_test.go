package riscv_test

import (
	"encoding/binary"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/riscv"
	"github.com/backplane-vm/backplane/internal/riscv/aclint"
	"github.com/backplane-vm/backplane/internal/riscv/finisher"
	"github.com/backplane-vm/backplane/internal/riscv/loader"
	"github.com/backplane-vm/backplane/internal/riscv/plic"
	"github.com/backplane-vm/backplane/internal/riscv/uart16550"
)

// opensbi is where Debian's qemu-system-data has the firmware.
const opensbi = "/usr/share/qemu/opensbi-riscv64-generic-fw_dynamic.bin"

const (
	ram        = 0x8000_0000
	ramSize    = 16 << 20
	kernelAddr = ram + 0x20_0000
	dtbAddr    = ram + 0xe0_0000
	infoAddr   = ram + 0xf0_0000
)

// machine is a whole computer of this module's parts, with one lock for all
// devices: the smallest wiring there is.
type machine struct {
	mu     sync.Mutex
	aclint *aclint.Device
	plic   *plic.Device
	uart   *uart16550.Device
	test   *finisher.Device
	harts  []*riscv.Hart
	timers []*time.Timer
	start  time.Time
	out    strings.Builder
	off    chan finisher.Action
}

func (m *machine) Load(addr uint64, size int) (uint64, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case addr-0x2000000 < aclint.Size:
		return m.aclint.Read(addr-0x2000000, size)
	case addr-0xc000000 < plic.Size(4):
		return m.plic.Read(addr-0xc000000, size)
	case addr-0x10000000 < uart16550.Size:
		return m.uart.Read(addr-0x10000000, size)
	case addr-0x100000 < finisher.Size:
		return m.test.Read(addr-0x100000, size), true
	}
	return 0, false
}

func (m *machine) Store(addr uint64, size int, v uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case addr-0x2000000 < aclint.Size:
		return m.aclint.Write(addr-0x2000000, size, v)
	case addr-0xc000000 < plic.Size(4):
		return m.plic.Write(addr-0xc000000, size, v)
	case addr-0x10000000 < uart16550.Size:
		return m.uart.Write(addr-0x10000000, size, v)
	case addr-0x100000 < finisher.Size:
		m.test.Write(addr-0x100000, size, v)
		return true
	}
	return false
}

func newMachine(t *testing.T, engine func(*riscv.Hart) riscv.Engine) (*machine, *riscv.Memory) {
	m := &machine{start: time.Now(), off: make(chan finisher.Action, 1), timers: make([]*time.Timer, 2)}
	m.aclint = aclint.New(aclint.Config{
		Harts: 2,
		Now:   func() int64 { return int64(time.Since(m.start)) },
		ArmTimer: func(h int, at int64) {
			if m.timers[h] != nil {
				m.timers[h].Stop()
			}
			m.timers[h] = time.AfterFunc(time.Duration(at)-time.Since(m.start), func() {
				m.mu.Lock()
				defer m.mu.Unlock()
				m.aclint.Fire(h)
			})
		},
		CancelTimer: func(h int) {
			if m.timers[h] != nil {
				m.timers[h].Stop()
			}
		},
		Software: func(h int, l bool) { m.harts[h].SetIRQ(riscv.IRQMachineSoftware, l) },
		Timer:    func(h int, l bool) { m.harts[h].SetIRQ(riscv.IRQMachineTimer, l) },
	})
	m.plic = plic.New(plic.Config{Sources: 96, Contexts: 4, Output: func(c int, l bool) {
		m.harts[c/2].SetIRQ([]uint{riscv.IRQMachineExternal, riscv.IRQSupervisorExternal}[c%2], l)
	}})
	m.uart = uart16550.New(uart16550.Config{
		Send: func(b byte) bool { m.out.WriteByte(b); return true },
		IRQ:  func(l bool) { m.plic.SetIRQ(10, l) },
	})
	m.test = finisher.New(func(a finisher.Action, _ uint16) {
		select {
		case m.off <- a:
		default:
		}
	})
	mem, err := riscv.NewMemory(riscv.Region{Base: ram, Bytes: make([]byte, ramSize)})
	if err != nil {
		t.Fatal(err)
	}
	for id := range uint64(2) {
		h, err := riscv.New(riscv.Config{ID: id, Memory: mem, Bus: m, ResetPC: ram, Engine: engine, Time: func() uint64 {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.aclint.Time()
		}})
		if err != nil {
			t.Fatal(err)
		}
		m.harts = append(m.harts, h)
	}
	return m, mem
}

// TestFirmware boots OpenSBI on two harts into a supervisor program that
// prints, sleeps until a timer interrupt, starts the second hart and shuts the
// machine down.
func TestFirmware(t *testing.T) {
	firmware, err := os.ReadFile(opensbi)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no OpenSBI, which .ci/run installs: ", err)
		}
		t.Skip("no OpenSBI here:", err)
	}
	if raceEnabled {
		t.Skip("takes too long under -race")
	}
	for _, e := range []struct {
		name string
		make func(*riscv.Hart) riscv.Engine
	}{{"blocks", riscv.Blocks}, {"reference", riscv.Reference}} {
		t.Run(e.name, func(t *testing.T) {
			m, mem := newMachine(t, e.make)
			for addr, file := range map[uint64]string{kernelAddr: "testdata/payload.bin", dtbAddr: "testdata/virt.dtb"} {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := loader.Raw(data, addr).Load(mem); err != nil {
					t.Fatal(err)
				}
			}
			if err := loader.Raw(firmware, ram).Load(mem); err != nil {
				t.Fatal(err)
			}
			// fw_dynamic_info: magic, version, next address, mode, options, boot hart.
			info := mem.Slice(infoAddr, 48)
			for i, v := range []uint64{0x4942534f, 2, kernelAddr, 1, 0, 0} {
				binary.LittleEndian.PutUint64(info[8*i:], v)
			}
			var wg sync.WaitGroup
			for _, h := range m.harts {
				h.SetReg(10, h.ID())
				h.SetReg(11, dtbAddr)
				h.SetReg(12, infoAddr)
				wg.Go(h.Run)
				h.SetRunning(true)
			}
			var action finisher.Action
			select {
			case action = <-m.off:
			case <-time.After(20 * time.Second):
				action = finisher.Fail
			}
			for _, h := range m.harts {
				h.Pause()
				if action == finisher.Fail {
					cause, _ := h.CSR(0x342)
					t.Logf("hart %d: pc %#x mode %d, %d instructions, %d traps, mcause %#x", h.ID(), h.PC(), h.Priv(), h.Instret(), h.Traps(), cause)
				}
				h.Stop()
			}
			wg.Wait()
			m.mu.Lock()
			defer m.mu.Unlock()
			out := strings.ReplaceAll(m.out.String(), "\r", "")
			if action != finisher.PowerOff || !strings.Contains(out, "OpenSBI") || !strings.HasSuffix(out, "hello from S-mode\nTS") {
				t.Errorf("ended by %d; console:\n%s", action, out)
			}
		})
	}
}
