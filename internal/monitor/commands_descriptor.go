package monitor

import (
	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// received gives up the descriptor that came with a command.
func received(from holder) (int, error) {
	if from != nil {
		if fd, ok := from.takeFD(); ok {
			return fd, nil
		}
	}
	return -1, qerr.New("No file descriptor supplied via SCM_RIGHTS")
}

func getfd(from holder, name string) error {
	fd, err := received(from)
	if err != nil {
		return err
	}
	return from.names().Put(name, fd)
}

func closefd(from holder, name string) error {
	if from == nil {
		return qerr.New("File descriptor named '%s' not found", name)
	}
	return from.names().CloseNamed(name)
}

func (h *handlers) Getfd(call *qmp.Call, args *api.GetfdArgs) error {
	return getfd(holding(call), args.Fdname)
}

func (h *handlers) Closefd(call *qmp.Call, args *api.ClosefdArgs) error {
	return closefd(holding(call), args.Fdname)
}

// AddClient implements api.Commands. There is no display that could have clients;
// this build knows nothing of "vnc", as one of QEMU's without it.
func (h *handlers) AddClient(call *qmp.Call, args *api.AddClientArgs) error {
	fd, err := named(holding(call), args.Fdname)
	if err != nil {
		return err
	}
	if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err != nil {
		_ = unix.Close(fd)
		return qerr.New("parameter @fdname must name a socket")
	}
	if display := map[string]string{"spice": "SPICE", "@dbus-display": "D-Bus display"}[args.Protocol]; display != "" {
		_ = unix.Close(fd)
		return qerr.Newc(qerr.DeviceNotActive, "%s is not in use", display)
	}
	return h.s.config.Chardevs.AddClient(args.Protocol, fd)
}

func (h *handlers) AddFd(call *qmp.Call, args *api.AddFdArgs) (*api.AddfdInfo, error) {
	fd, err := received(holding(call))
	if err != nil {
		return nil, err
	}
	added, err := h.m.Files.Add(fd, args.FdsetId, args.Opaque)
	if err != nil {
		return nil, err
	}
	return &api.AddfdInfo{FdsetId: added.Set, Fd: int64(added.FD)}, nil
}

func (h *handlers) RemoveFd(_ *qmp.Call, args *api.RemoveFdArgs) error {
	return h.m.Files.Remove(args.FdsetId, args.Fd)
}

func (h *handlers) QueryFdsets(*qmp.Call) ([]api.FdsetInfo, error) {
	list := []api.FdsetInfo{}
	for _, set := range h.m.Files.List() {
		info := api.FdsetInfo{FdsetId: set.ID, Fds: []api.FdsetFdInfo{}}
		for _, m := range set.FDs {
			info.Fds = append(info.Fds, api.FdsetFdInfo{Fd: int64(m.FD), Opaque: m.Opaque})
		}
		list = append(list, info)
	}
	return list, nil
}

// humanDescriptors are the human commands for descriptors.
func (h *handlers) humanDescriptors() hmp.Handlers[*coro.Co] {
	return hmp.Handlers[*coro.Co]{
		"getfd": {Run: func(call *hmp.Call, args *hmp.Args) error {
			return getfd(humanHolding(call), args.String("fdname"))
		}},
		"closefd": {Run: func(call *hmp.Call, args *hmp.Args) error {
			return closefd(humanHolding(call), args.String("fdname"))
		}},
	}
}
