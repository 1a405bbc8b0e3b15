package machine

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/mem"
	"github.com/backplane-vm/backplane/internal/riscv"
)

// Inspect has f look at c's hart, and change it, while it stands still; the guest
// notices nothing but the time. It yields, and is for coroutines that run under
// the BQL; f runs under it and must not yield. An error is why co was cancelled
// before.
func (m *Machine) Inspect(co *coro.Co, c *CPU, f func(h *riscv.Hart)) error {
	if err := m.stateLock.LockCancelable(co); err != nil {
		return err
	}
	defer m.stateLock.Unlock(co)
	err := m.pauseCPUs(co, c)
	if err != nil {
		return err
	}
	f(c.hart)
	if m.state == Running {
		m.resumeCPUs(c)
	}
	return nil
}

// ReadVirtual fills p from the virtual address addr of h, which stands still; it
// reports whether all of it could be read. The caller holds the BQL.
func (m *Machine) ReadVirtual(h *riscv.Hart, addr uint64, p []byte) bool {
	for len(p) > 0 {
		n := min(len(p), int(pageSize-addr%pageSize))
		pa, ok := h.Translate(addr)
		if !ok || m.System.DMARead(pa, p[:n]) != mem.OK {
			return false
		}
		addr, p = addr+uint64(n), p[n:]
	}
	return true
}

// pageSize is the smallest piece of memory that is translated as one.
const pageSize = 4096
