package monitor

import (
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// Nothing on this machine starts a job, so no id is one's.

func (h *handlers) QueryJobs(*qmp.Call) ([]api.JobInfo, error) { return []api.JobInfo{}, nil }

func noJob() error { return qerr.New("Job not found") }

func (h *handlers) JobPause(*qmp.Call, *api.JobPauseArgs) error       { return noJob() }
func (h *handlers) JobResume(*qmp.Call, *api.JobResumeArgs) error     { return noJob() }
func (h *handlers) JobCancel(*qmp.Call, *api.JobCancelArgs) error     { return noJob() }
func (h *handlers) JobComplete(*qmp.Call, *api.JobCompleteArgs) error { return noJob() }
func (h *handlers) JobDismiss(*qmp.Call, *api.JobDismissArgs) error   { return noJob() }
func (h *handlers) JobFinalize(*qmp.Call, *api.JobFinalizeArgs) error { return noJob() }

func (h *handlers) QueryBlockJobs(*qmp.Call) ([]api.BlockJobInfo, error) {
	return []api.BlockJobInfo{}, nil
}

func noBlockJob(id string) error {
	return qerr.Newc(qerr.DeviceNotActive, "Block job '%s' not found", id)
}

func (h *handlers) BlockJobSetSpeed(_ *qmp.Call, args *api.BlockJobSetSpeedArgs) error {
	return noBlockJob(args.Device)
}

func (h *handlers) BlockJobCancel(_ *qmp.Call, args *api.BlockJobCancelArgs) error {
	return noBlockJob(args.Device)
}

func (h *handlers) BlockJobPause(_ *qmp.Call, args *api.BlockJobPauseArgs) error {
	return noBlockJob(args.Device)
}

func (h *handlers) BlockJobResume(_ *qmp.Call, args *api.BlockJobResumeArgs) error {
	return noBlockJob(args.Device)
}

func (h *handlers) BlockJobComplete(_ *qmp.Call, args *api.BlockJobCompleteArgs) error {
	return noBlockJob(args.Device)
}

func (h *handlers) BlockJobDismiss(_ *qmp.Call, args *api.BlockJobDismissArgs) error {
	return noBlockJob(args.Id)
}

func (h *handlers) BlockJobFinalize(_ *qmp.Call, args *api.BlockJobFinalizeArgs) error {
	return noBlockJob(args.Id)
}
