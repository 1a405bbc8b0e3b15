package monitor

import (
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// Yank ends connections that hang: those of sockets, which are all that can here.
// It runs on the thread that reads the client, as does the question, so that
// nothing that hangs is in its way.
func (h *handlers) Yank(_ *qmp.Call, args *api.YankArgs) error {
	var ids []string
	for _, i := range args.Instances {
		if i.Chardev == nil {
			return errNoInstance()
		}
		ids = append(ids, i.Chardev.Id)
	}
	if !h.s.config.Chardevs.Yank(ids) {
		return errNoInstance()
	}
	return nil
}

func errNoInstance() error { return qerr.Newc(qerr.DeviceNotFound, "Instance not found") }

func (h *handlers) QueryYank(*qmp.Call) ([]api.YankInstance, error) {
	list := []api.YankInstance{}
	for _, id := range h.s.config.Chardevs.Sockets() {
		list = append(list, api.YankInstance{Type: api.YankInstanceTypeChardev, Chardev: &api.YankInstanceChardev{Id: id}})
	}
	return list, nil
}
