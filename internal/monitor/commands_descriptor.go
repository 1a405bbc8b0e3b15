package monitor

import (
	"fmt"

	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// The character devices hand over no descriptors (SCM_RIGHTS), so none ever
// comes with a command, and none is known by a name or in a set.

func noDescriptor() error {
	return qerr.New("No file descriptor supplied via SCM_RIGHTS")
}

func (h *handlers) Getfd(*qmp.Call, *api.GetfdArgs) error { return noDescriptor() }

func (h *handlers) Closefd(_ *qmp.Call, args *api.ClosefdArgs) error {
	return qerr.New("File descriptor named '%s' not found", args.Fdname)
}

func (h *handlers) AddFd(*qmp.Call, *api.AddFdArgs) (*api.AddfdInfo, error) {
	return nil, noDescriptor()
}

func (h *handlers) RemoveFd(_ *qmp.Call, args *api.RemoveFdArgs) error {
	name := fmt.Sprintf("fdset-id:%d", args.FdsetId)
	if args.Fd != nil {
		name += fmt.Sprintf(", fd:%d", *args.Fd)
	}
	return qerr.New("File descriptor named '%s' not found", name)
}

func (h *handlers) QueryFdsets(*qmp.Call) ([]api.FdsetInfo, error) { return []api.FdsetInfo{}, nil }
