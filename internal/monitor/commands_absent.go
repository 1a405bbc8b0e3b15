package monitor

import (
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// Queries about what this machine has none of. Their answers are true, and
// QEMU's for a machine that has none of it either.

func (h *handlers) QueryPrManagers(*qmp.Call) ([]api.PRManagerInfo, error) {
	return []api.PRManagerInfo{}, nil
}

func (h *handlers) QueryBlockExports(*qmp.Call) ([]api.BlockExportInfo, error) {
	return []api.BlockExportInfo{}, nil
}

func (h *handlers) QueryTpm(*qmp.Call) ([]api.TPMInfo, error) { return []api.TPMInfo{}, nil }

func (h *handlers) QueryTpmModels(*qmp.Call) ([]api.TpmModel, error) { return []api.TpmModel{}, nil }

func (h *handlers) QueryTpmTypes(*qmp.Call) ([]api.TpmType, error) { return []api.TpmType{}, nil }

func (h *handlers) QueryMice(*qmp.Call) ([]api.MouseInfo, error) { return []api.MouseInfo{}, nil }

func (h *handlers) QueryVnc(*qmp.Call) (*api.VncInfo, error) { return &api.VncInfo{}, nil }

func (h *handlers) QueryVncServers(*qmp.Call) ([]api.VncInfo2, error) { return []api.VncInfo2{}, nil }

func (h *handlers) QuerySpice(*qmp.Call) (*api.SpiceInfo, error) {
	return &api.SpiceInfo{MouseMode: api.SpiceQueryMouseModeClient}, nil
}

func (h *handlers) QueryDisplayOptions(*qmp.Call) (*api.DisplayOptions, error) {
	return &api.DisplayOptions{Type: api.DisplayTypeNone, None: &api.DisplayNone{}}, nil
}

func (h *handlers) QueryAudiodevs(*qmp.Call) ([]api.Audiodev, error) { return []api.Audiodev{}, nil }

func (h *handlers) QueryCryptodev(*qmp.Call) ([]api.QCryptodevInfo, error) {
	return []api.QCryptodevInfo{}, nil
}

func (h *handlers) QueryMemoryDevices(*qmp.Call) ([]api.MemoryDeviceInfo, error) {
	return []api.MemoryDeviceInfo{}, nil
}

func (h *handlers) QueryRxFilter(_ *qmp.Call, args *api.QueryRxFilterArgs) ([]api.RxFilterInfo, error) {
	if args.Name != nil {
		return nil, qerr.New("invalid net client name: %s", *args.Name)
	}
	return []api.RxFilterInfo{}, nil
}

func (h *handlers) QueryRocker(_ *qmp.Call, args *api.QueryRockerArgs) (*api.RockerSwitch, error) {
	return nil, noRocker(args.Name)
}

func (h *handlers) QueryRockerPorts(_ *qmp.Call, args *api.QueryRockerPortsArgs) ([]api.RockerPort, error) {
	return nil, noRocker(args.Name)
}

func (h *handlers) QueryRockerOfDpaFlows(_ *qmp.Call, args *api.QueryRockerOfDpaFlowsArgs) ([]api.RockerOfDpaFlow, error) {
	return nil, noRocker(args.Name)
}

func (h *handlers) QueryRockerOfDpaGroups(_ *qmp.Call, args *api.QueryRockerOfDpaGroupsArgs) ([]api.RockerOfDpaGroup, error) {
	return nil, noRocker(args.Name)
}

func noRocker(name string) error { return qerr.New("rocker %s not found", name) }

func (h *handlers) QueryAcpiOspmStatus(*qmp.Call) ([]api.ACPIOSTInfo, error) {
	return nil, qerr.New("command is not supported, missing ACPI device")
}

func (h *handlers) QueryVmGenerationId(*qmp.Call) (*api.GuidInfo, error) {
	return nil, qerr.New("VM Generation ID device not found")
}

func (h *handlers) QueryBalloon(*qmp.Call) (*api.BalloonInfo, error) { return nil, noBalloon() }

func (h *handlers) Balloon(*qmp.Call, *api.BalloonArgs) error { return noBalloon() }

func (h *handlers) QueryHvBalloonStatusReport(*qmp.Call) (*api.HvBalloonInfo, error) {
	return nil, noBalloon()
}

func noBalloon() error {
	return qerr.Newc(qerr.DeviceNotActive, "No balloon device has been activated")
}

func (h *handlers) QueryReplay(*qmp.Call) (*api.ReplayInfo, error) {
	return &api.ReplayInfo{Mode: api.ReplayModeNone}, nil
}

func (h *handlers) ReplayBreak(*qmp.Call, *api.ReplayBreakArgs) error {
	return qerr.New("setting the breakpoint is allowed only in play mode")
}

func (h *handlers) ReplayDeleteBreak(*qmp.Call) error {
	return qerr.New("replay breakpoints are allowed only in play mode")
}

func (h *handlers) ReplaySeek(*qmp.Call, *api.ReplaySeekArgs) error {
	return qerr.New("replay must be enabled to seek")
}
