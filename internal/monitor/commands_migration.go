package monitor

import (
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// This machine cannot migrate. What is answered here is what is so for a
// machine that never did; to start a migration there is no command.

// migrationCapabilities are all there are, in QEMU's order.
func migrationCapabilities() []api.MigrationCapability {
	return []api.MigrationCapability{
		api.MigrationCapabilityXbzrle, api.MigrationCapabilityRdmaPinAll, api.MigrationCapabilityAutoConverge,
		api.MigrationCapabilityZeroBlocks, api.MigrationCapabilityEvents, api.MigrationCapabilityPostcopyRam,
		api.MigrationCapabilityXColo, api.MigrationCapabilityReleaseRam, api.MigrationCapabilityReturnPath,
		api.MigrationCapabilityPauseBeforeSwitchover, api.MigrationCapabilityMultifd,
		api.MigrationCapabilityDirtyBitmaps, api.MigrationCapabilityPostcopyBlocktime,
		api.MigrationCapabilityLateBlockActivate, api.MigrationCapabilityXIgnoreShared,
		api.MigrationCapabilityValidateUuid, api.MigrationCapabilityBackgroundSnapshot,
		api.MigrationCapabilityZeroCopySend, api.MigrationCapabilityPostcopyPreempt,
		api.MigrationCapabilitySwitchoverAck, api.MigrationCapabilityDirtyLimit, api.MigrationCapabilityMappedRam,
	}
}

func (h *handlers) QueryMigrateCapabilities(*qmp.Call) ([]api.MigrationCapabilityStatus, error) {
	list := []api.MigrationCapabilityStatus{}
	for _, c := range migrationCapabilities() {
		state := c == api.MigrationCapabilityEvents && h.migrationEvents
		list = append(list, api.MigrationCapabilityStatus{Capability: c, State: state})
	}
	return list, nil
}

// MigrateSetCapabilities switches on what can be kept without migrating: that
// MIGRATION events tell of a migration's state, which has none to tell of.
func (h *handlers) MigrateSetCapabilities(_ *qmp.Call, args *api.MigrateSetCapabilitiesArgs) error {
	events := h.migrationEvents
	for _, c := range args.Capabilities {
		switch {
		case c.Capability == api.MigrationCapabilityEvents:
			events = c.State
		case c.State:
			return qerr.New("Capability '%s' is not supported by this build", c.Capability)
		}
	}
	h.migrationEvents = events
	return nil
}

// MigrateRecover and MigratePause run on the thread that reads the client.
func (h *handlers) MigrateRecover(*qmp.Call, *api.MigrateRecoverArgs) error {
	return qerr.New("Migrate recover can only be run when postcopy is paused.")
}

// MigratePause implements api.Commands.
func (h *handlers) MigratePause(*qmp.Call) error {
	return qerr.New("migrate-pause is currently only supported during postcopy-active or postcopy-recover state")
}

func (h *handlers) QueryMigrationthreads(*qmp.Call) ([]api.MigrationThreadInfo, error) {
	return []api.MigrationThreadInfo{}, nil
}

func (h *handlers) QueryXenReplicationStatus(*qmp.Call) (*api.ReplicationStatus, error) {
	return &api.ReplicationStatus{}, nil
}

func (h *handlers) QueryColoStatus(*qmp.Call) (*api.COLOStatus, error) {
	return &api.COLOStatus{Mode: api.COLOModeNone, LastMode: api.COLOModeNone, Reason: api.COLOExitReasonNone}, nil
}

func (h *handlers) QueryVcpuDirtyLimit(*qmp.Call) ([]api.DirtyLimitInfo, error) {
	return []api.DirtyLimitInfo{}, nil
}

// SetVcpuDirtyLimit refuses: QEMU has limits with KVM only.
func (h *handlers) SetVcpuDirtyLimit(*qmp.Call, *api.SetVcpuDirtyLimitArgs) error {
	return qerr.New("dirty page limit feature requires KVM with accelerator property 'dirty-ring-size' set'")
}

// CancelVcpuDirtyLimit ends limits. There is none, so that is done.
func (h *handlers) CancelVcpuDirtyLimit(*qmp.Call, *api.CancelVcpuDirtyLimitArgs) error { return nil }

func (h *handlers) QueryDirtyRate(_ *qmp.Call, args *api.QueryDirtyRateArgs) (*api.DirtyRateInfo, error) {
	info := &api.DirtyRateInfo{Status: api.DirtyRateStatusUnstarted, CalcTimeUnit: api.TimeUnitSecond, Mode: api.DirtyRateMeasureModePageSampling}
	if args.CalcTimeUnit != nil {
		info.CalcTimeUnit = *args.CalcTimeUnit
	}
	return info, nil
}

func (h *handlers) QueryMigrate(*qmp.Call) (*api.MigrationInfo, error) {
	return &api.MigrationInfo{}, nil
}
