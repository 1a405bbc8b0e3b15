package monitor

import (
	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/internal/mutant"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

func (h *handlers) DeviceAdd(co *coro.Co, _ *qmp.Call, args *qobject.Dict) error {
	return h.deviceAdd(co, args, qdev.JSON)
}

// deviceAdd plugs a device. What a device that failed has held (its id, its
// drive, its slot) is free only after a grace period; the answer waits for
// that, so that a client may use them again at once. The wait yields: neither
// the guest nor another client notices it, and the client can cancel it.
func (h *handlers) deviceAdd(co *coro.Co, args *qobject.Dict, f qdev.Flavour) error {
	before := h.m.BQL.Label("device_add")
	_, err := h.m.Devices.Add(args, f)
	h.m.BQL.Label(before)
	if err != nil && !mutant.Planted("monitor-no-drain") {
		if gaveUp := h.m.RCU.DrainCoCancelable(co); gaveUp != nil {
			return gaveUp
		}
	}
	return err
}

// objectTree returns the machine's objects. Character devices come and go
// without the BQL, so that those of now are put into the tree when somebody looks.
func (h *handlers) objectTree() *qom.Tree {
	if set := h.s.config.Chardevs; set != nil {
		set.ShowIn(h.m.QOM.Container("/chardevs"))
	}
	return h.m.QOM
}

func (h *handlers) DeviceDel(_ *qmp.Call, args *api.DeviceDelArgs) error {
	h.objectTree()
	return h.m.Devices.Del(args.Id)
}

// DeviceSyncConfig is for devices whose configuration is kept outside, such as
// vhost-user's; none here is.
func (h *handlers) DeviceSyncConfig(_ *qmp.Call, args *api.DeviceSyncConfigArgs) error {
	d, err := h.m.Devices.Find(args.Id)
	if err != nil {
		return qerr.New("%v", err) // of no class of its own, unlike device_del's
	}
	return qerr.New("device-sync-config is not supported for '%s'", d.Dev().Class().Name)
}

func (h *handlers) DeviceListProperties(_ *qmp.Call, args *api.DeviceListPropertiesArgs) ([]api.ObjectPropertyInfo, error) {
	props, err := h.m.Devices.Registry().ListProperties(args.Typename)
	if err != nil {
		return nil, err
	}
	return propertyInfos(props, described|defaults), nil
}

func (h *handlers) QomList(_ *qmp.Call, args *api.QomListArgs) ([]api.ObjectPropertyInfo, error) {
	props, err := h.objectTree().List(args.Path)
	if err != nil {
		return nil, err
	}
	return propertyInfos(props, 0), nil
}

func (h *handlers) QomListProperties(_ *qmp.Call, args *api.QomListPropertiesArgs) ([]api.ObjectPropertyInfo, error) {
	types := h.m.QOM.Types
	t, ok := types.Lookup(args.Typename)
	if !ok {
		return nil, qerr.Newc(qerr.DeviceNotFound, "Class '%s' not found", args.Typename)
	}
	if types.Is(args.Typename, "device") {
		return propertyInfos(h.m.Devices.Registry().TypeProperties(args.Typename), described), nil
	}
	props := []*qom.Property{qom.TypeProperty()}
	if t.Class != nil {
		props = append(props, t.Class.Properties()...)
	}
	return propertyInfos(props, described), nil
}

// What is said of a property besides name and type.
const (
	described = 1 << iota
	defaults
)

// propertyInfos puts properties into QMP's form, with what detail asks for.
func propertyInfos(props []*qom.Property, detail int) []api.ObjectPropertyInfo {
	list := make([]api.ObjectPropertyInfo, 0, len(props))
	for _, p := range props {
		info := api.ObjectPropertyInfo{Name: p.Name, Type: p.Type}
		if detail&described != 0 {
			info.Description = optional(p.Description)
		}
		if detail&defaults != 0 && p.HasDefault {
			info.DefaultValue = &p.Default
		}
		list = append(list, info)
	}
	return list
}

func (h *handlers) QomGet(_ *qmp.Call, args *api.QomGetArgs) (any, error) {
	v, err := h.objectTree().Get(args.Path, args.Property)
	if v == nil && err == nil {
		return qmp.Null, nil
	}
	return v, err
}

func (h *handlers) QomSet(_ *qmp.Call, args *api.QomSetArgs) error {
	return h.objectTree().Set(args.Path, args.Property, args.Value)
}

func (h *handlers) QomListTypes(_ *qmp.Call, args *api.QomListTypesArgs) ([]api.ObjectTypeInfo, error) {
	implements := ""
	if args.Implements != nil {
		implements = *args.Implements
	}
	types := h.m.QOM.Types.List(implements, args.Abstract != nil && *args.Abstract)
	list := make([]api.ObjectTypeInfo, 0, len(types))
	for _, t := range types {
		info := api.ObjectTypeInfo{Name: t.Name, Parent: optional(t.Parent)}
		if t.Abstract {
			info.Abstract = &t.Abstract
		}
		list = append(list, info)
	}
	return list, nil
}
