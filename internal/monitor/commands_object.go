package monitor

import (
	"regexp"

	"github.com/backplane-vm/backplane/internal/backend"
	"github.com/backplane-vm/backplane/internal/machine"
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
	if b, ok := o.Self().(*backend.Memory); ok && b.Used() {
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
	case o.MemoryBackendRam != nil:
		b, err := newMemory(m, o.Id, o.MemoryBackendRam)
		if err != nil {
			return nil, err
		}
		return &b.Object, nil
	case o.RngBuiltin != nil:
		return &backend.NewBuiltinRNG().Object, nil
	case o.RngRandom != nil:
		r, err := backend.NewFileRNG(value(o.RngRandom.Filename))
		if err != nil {
			return nil, err
		}
		return &r.Object, nil
	case o.Secret != nil:
		s, err := newSecret(m, o.Secret)
		if err != nil {
			return nil, err
		}
		return &s.Object, nil
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
	case o.MemoryBackendRam != nil:
		return checkMemory(o.MemoryBackendRam)
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

func checkMemory(p *api.MemoryBackendProperties) error {
	switch {
	case p.PreallocThreads != nil && *p.PreallocThreads == 0:
		return backend.NoValue("prealloc-threads")
	case p.Size == 0:
		return backend.NoValue("size")
	case p.Reserve != nil && !*p.Reserve:
		return unsupported("reserve")
	case value(p.Share):
		return unsupported("share")
	case p.PreallocContext != nil:
		return unsupported("prealloc-context")
	case p.PreallocThreads != nil && *p.PreallocThreads != 1 && value(p.Prealloc):
		return unsupported("prealloc-threads")
	case value(p.XUseCanonicalPathForRamblockId):
		return unsupported("x-use-canonical-path-for-ramblock-id")
	}
	return nil
}

func newMemory(m *machine.Machine, id string, p *api.MemoryBackendProperties) (*backend.Memory, error) {
	bound := p.Policy != nil && *p.Policy != api.HostMemPolicyDefault
	switch {
	case bound && len(p.HostNodes) == 0:
		return nil, qerr.New("host-nodes must be set for policy %s", *p.Policy)
	case bound:
		return nil, unsupported("policy")
	case len(p.HostNodes) > 0:
		return nil, qerr.New("host-nodes must be empty for policy default, or you should explicitly specify a policy other than default")
	}
	o := backend.DefaultMemory(p.Size)
	o.Prealloc = value(p.Prealloc)
	if p.Merge != nil {
		o.Merge = *p.Merge
	}
	if p.Dump != nil {
		o.Dump = *p.Dump
	}
	return backend.NewMemory(m.Map, id, o)
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

func (h *handlers) QueryMemdev(*qmp.Call) ([]api.Memdev, error) {
	list, reserve := []api.Memdev{}, true
	eachObject(h.m, func(id string, b *backend.Memory) {
		list = append(list, api.Memdev{
			Id: &id, Size: b.Region().Size(), Merge: b.Options().Merge, Dump: b.Options().Dump,
			Prealloc: b.Options().Prealloc, Reserve: &reserve,
			HostNodes: []uint16{}, Policy: api.HostMemPolicyDefault,
		})
	})
	return list, nil
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
