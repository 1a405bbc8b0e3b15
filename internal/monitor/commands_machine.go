package monitor

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

func (h *handlers) QueryStatus(*qmp.Call) (*api.StatusInfo, error) {
	st := h.m.State()
	return &api.StatusInfo{Running: st == machine.Running, Status: api.RunState(st)}, nil
}

func (h *handlers) Stop(co *coro.Co, _ *qmp.Call) error {
	return h.m.Stop(co)
}

func (h *handlers) Cont(co *coro.Co, _ *qmp.Call) error {
	if h.m.NeedsReset() {
		return qerr.New("Resetting the Virtual Machine is required")
	}
	return h.m.Cont(co)
}

func (h *handlers) SystemReset(co *coro.Co, _ *qmp.Call) error {
	return h.m.Reset(co, machine.HostQMPSystemReset)
}

func (h *handlers) SystemPowerdown(*qmp.Call) error {
	h.m.RequestPowerdown()
	return nil
}

func (h *handlers) QueryName(*qmp.Call) (*api.NameInfo, error) {
	return &api.NameInfo{Name: optional(h.m.Name)}, nil
}

func (h *handlers) QueryUuid(*qmp.Call) (*api.UuidInfo, error) {
	return &api.UuidInfo{UUID: h.uuid()}, nil
}

// uuid is the machine's, or zeroes if it was given none.
func (h *handlers) uuid() string {
	if h.m.UUID == "" {
		return "00000000-0000-0000-0000-000000000000"
	}
	return h.m.UUID
}

func (h *handlers) QueryTarget(*qmp.Call) (*api.TargetInfo, error) {
	return &api.TargetInfo{Arch: api.SysEmuTargetRiscv64}, nil
}

func (h *handlers) QueryKvm(*qmp.Call) (*api.KvmInfo, error) {
	return &api.KvmInfo{}, nil
}

func (h *handlers) QueryMachines(*qmp.Call, *api.QueryMachinesArgs) ([]api.MachineInfo, error) {
	cpu, ram := "rv64-riscv-cpu", "riscv_virt_board.ram"
	return []api.MachineInfo{{
		Name: "virt", CpuMax: machine.MaxCPUs, NumaMemSupported: false,
		DefaultCpuType: &cpu, DefaultRamId: &ram,
	}}, nil
}

func (h *handlers) QueryCpusFast(*qmp.Call) ([]api.CpuInfoFast, error) {
	list := make([]api.CpuInfoFast, 0, len(h.m.CPUs()))
	for _, c := range h.m.CPUs() {
		core := int64(c.Index())
		list = append(list, api.CpuInfoFast{
			CpuIndex: core, QomPath: c.Path(), ThreadId: int64(c.ThreadID()),
			Props:  &api.CpuInstanceProperties{CoreId: &core},
			Target: api.SysEmuTargetRiscv64,
		})
	}
	return list, nil
}

func (h *handlers) QueryHotpluggableCpus(*qmp.Call) ([]api.HotpluggableCPU, error) {
	return nil, qerr.New("machine does not support hot-plugging CPUs")
}

func (h *handlers) QueryMemorySizeSummary(*qmp.Call) (*api.MemoryInfo, error) {
	return &api.MemoryInfo{BaseMemory: h.m.Board.RAMSize()}, nil
}
