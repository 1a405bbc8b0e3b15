package machine

import (
	"fmt"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/riscv"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/rcu"
)

// MaxCPUs is how many CPUs a machine can have, as QEMU's virt has it.
const MaxCPUs = 512

// A CPU is a hart with a thread that runs it. Device accesses of the hart look
// the memory map up inside an RCU read-side section and take the BQL for the
// device's callback; the hart holds neither while it executes.
type CPU struct {
	index  int
	m      *Machine
	hart   *riscv.Hart
	thread *sched.Thread // set by start
	access *mem.Access
	reader *rcu.Reader
}

// AddCPU makes a CPU of the hart that c describes; its Bus is filled in. It is
// for boards, before Start.
func (m *Machine) AddCPU(c riscv.Config) (*CPU, error) {
	cpu := &CPU{index: len(m.cpus), m: m}
	c.Bus, c.Trapped = cpu, cpu.trapped
	hart, err := riscv.New(c)
	if err != nil {
		return nil, err
	}
	cpu.hart = hart
	m.cpus = append(m.cpus, cpu)
	return cpu, nil
}

// CPUs returns the machine's CPUs, by index. The caller must not change it.
func (m *Machine) CPUs() []*CPU { return m.cpus }

// Index returns the CPU's number, from 0.
func (c *CPU) Index() int { return c.index }

// Hart returns the hart the CPU runs.
func (c *CPU) Hart() *riscv.Hart { return c.hart }

// Path returns the CPU's path in the object tree.
func (c *CPU) Path() string { return fmt.Sprintf("/machine/soc0/harts[%d]", c.index) }

// ThreadID returns a number that tells the CPU's thread from others of the
// machine. It is no thread of the host's: goroutines have none.
func (c *CPU) ThreadID() uint64 { return c.thread.ID() }

func (c *CPU) start() {
	c.reader = c.m.RCU.Register(fmt.Sprintf("CPU %d", c.index))
	ready := c.m.World.NewParker()
	c.thread = c.m.World.Go(fmt.Sprintf("CPU %d/TCG", c.index), func(t *sched.Thread) {
		defer c.reader.Unregister()
		c.access = mem.NewAccess(t)
		ready.Unpark()
		c.hart.Run()
	})
	ready.Park(sched.Forever)
}

// Load implements [riscv.Bus], on the CPU's thread.
func (c *CPU) Load(addr uint64, size int) (uint64, bool) {
	c.reader.Lock()
	defer c.reader.Unlock()
	v, res := c.m.System.Read(c.access, addr, uint(size))
	c.accessed(false, addr, v, size, res)
	return v, res == mem.OK
}

// Store implements [riscv.Bus], on the CPU's thread.
func (c *CPU) Store(addr uint64, size int, v uint64) bool {
	c.reader.Lock()
	defer c.reader.Unlock()
	res := c.m.System.Write(c.access, addr, v, uint(size))
	c.accessed(true, addr, v, size, res)
	return res == mem.OK
}

// pauseCPUs returns once none of these CPUs executes. Waiting for a CPU blocks,
// so it is done by the pool's workers while co yields: a CPU that is inside a
// device may need the BQL to get out. If co is cancelled meanwhile, a guest that
// was running goes on.
func (m *Machine) pauseCPUs(co *coro.Co, cpus ...*CPU) error {
	for _, c := range cpus {
		c.hart.SetRunning(false)
	}
	for _, c := range cpus {
		err := m.Pool.RunCancelable(co, func() { c.hart.AwaitPause() })
		if err != nil {
			if m.state == Running {
				m.resumeCPUs(cpus...)
			}
			return err
		}
	}
	return nil
}

func (m *Machine) resumeCPUs(cpus ...*CPU) {
	for _, c := range cpus {
		c.hart.SetRunning(true)
	}
}
