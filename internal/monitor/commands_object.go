package monitor

import (
	"regexp"

	"github.com/backplane-vm/backplane/internal/backend"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/qom"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

func (h *handlers) ObjectAdd(_ *qmp.Call, args *api.ObjectOptions) error {
	return AddObject(h.m, args)
}

func (h *handlers) ObjectDel(_ *qmp.Call, args *api.ObjectDelArgs) error {
	o := objects(h.m).Child(args.Id)
	if o == nil {
		return qerr.New("object '%s' not found", args.Id)
	}
	if b, ok := o.Self().(interface{ Used() bool }); ok && b.Used() {
		return qerr.New("object '%s' is in use, can not be deleted", args.Id)
	}
	o.Unparent()
	return nil
}

// identifier is what an id may be.
var identifier = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9._-]*$`)

// AddObject makes the object that o describes: what object-add and -object do.
// The caller holds the BQL, or is about to start the machine. Options that have
// no effect here are refused.
func AddObject(m *machine.Machine, o *api.ObjectOptions) error {
	if !identifier.MatchString(o.Id) {
		return qerr.New("Parameter 'id' expects an identifier").WithHint(
			"Identifiers consist of letters, digits, '-', '.', '_', starting with a letter.\n")
	}
	if err := checkObject(o); err != nil {
		return err
	}
	if objects(m).Child(o.Id) != nil {
		return qerr.New("attempt to add duplicate property '%s' to object (type 'container')", o.Id)
	}
	made, err := newObject(m, o)
	if err != nil {
		return err
	}
	defer made.Unref() // the tree's reference stays
	if b, ok := made.Self().(*backend.Memory); ok {
		qdev.AddRegion(made, b.Region())
	}
	return objects(m).AddChild(o.Id, made)
}

// objects is where they live.
func objects(m *machine.Machine) *qom.Object { return m.QOM.Container("/objects") }

func newObject(m *machine.Machine, o *api.ObjectOptions) (*qom.Object, error) {
	switch {
	case o.Iothread != nil:
		t, err := backend.NewIOThread(m.World, o.Id, iothreadOptions(o.Iothread))
		if err != nil {
			return nil, err
		}
		return &t.Object, nil
	case memoryOf(o) != nil:
		b, err := newMemory(m, o)
		if err != nil {
			return nil, err
		}
		return &b.Object, nil
	case o.RngBuiltin != nil:
		return &backend.NewBuiltinRNG().Object, nil
	case o.RngRandom != nil:
		r, err := backend.NewFileRNG(m.Files, value(o.RngRandom.Filename))
		if err != nil {
			return nil, err
		}
		return &r.Object, nil
	case o.ThrottleGroup != nil:
		g, err := newThrottleGroup(m, o.Id, o.ThrottleGroup)
		if err != nil {
			return nil, err
		}
		return &g.Object, nil
	case o.Secret != nil:
		s, err := newSecret(m, o.Secret)
		if err != nil {
			return nil, err
		}
		return &s.Object, nil
	}
	if made, err := newSecurity(m, o); made != nil || err != nil {
		return made, err
	}
	return nil, qerr.New("Parameter 'qom-type' does not accept value '%s'", o.QomType)
}

// checkObject refuses what can be refused before anything else is looked at.
func checkObject(o *api.ObjectOptions) error {
	switch {
	case o.RngBuiltin != nil && o.RngBuiltin.Opened != nil, o.RngRandom != nil && o.RngRandom.Opened != nil:
		return qerr.New("Property '%s.opened' is not writable", o.QomType)
	case o.Iothread != nil:
		return iothreadOptions(o.Iothread).Check()
	case o.ThrottleGroup != nil:
		_, err := groupLimits(o.ThrottleGroup)
		return err
	case memoryOf(o) != nil:
		return checkMemory(o.QomType, memoryOf(o))
	}
	return nil
}

func iothreadOptions(p *api.IothreadProperties) backend.IOThreadOptions {
	o := backend.DefaultIOThread()
	for _, x := range []struct {
		to   *int64
		from *int64
	}{
		{&o.PollMaxNS, p.PollMaxNs}, {&o.PollGrow, p.PollGrow}, {&o.PollShrink, p.PollShrink},
		{&o.AIOMaxBatch, p.AioMaxBatch}, {&o.PoolMin, p.ThreadPoolMin}, {&o.PoolMax, p.ThreadPoolMax},
	} {
		if x.from != nil {
			*x.to = *x.from
		}
	}
	return o
}

func newSecret(m *machine.Machine, p *api.SecretProperties) (*backend.Secret, error) {
	o := backend.SecretOptions{Data: p.Data, File: p.File, KeyID: p.Keyid, IV: p.Iv,
		Base64: p.Format != nil && *p.Format == api.QCryptoSecretFormatBase64}
	return backend.NewSecret(o, objects(m).Child)
}

// eachObject calls f for the objects of one kind, in the order in which QEMU
// finds them.
func eachObject[T any](m *machine.Machine, f func(id string, o T)) {
	for _, p := range objects(m).Properties() {
		if c := p.Child(); c != nil {
			if o, ok := c.Self().(T); ok {
				f(p.Name, o)
			}
		}
	}
}

func (h *handlers) QueryIothreads(*qmp.Call) ([]api.IOThreadInfo, error) {
	list := []api.IOThreadInfo{}
	eachObject(h.m, func(id string, t *backend.IOThread) {
		o := t.Options()
		list = append(list, api.IOThreadInfo{
			Id: id, ThreadId: int64(t.ThreadID()), PollMaxNs: o.PollMaxNS,
			PollGrow: o.PollGrow, PollShrink: o.PollShrink, AioMaxBatch: o.AIOMaxBatch,
		})
	})
	return list, nil
}
