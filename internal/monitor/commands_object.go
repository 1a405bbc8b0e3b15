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
		t, err := newIOThread(m, o.Id, o.Iothread)
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
		return &backend.NewBuiltinRNG().Object, opened(o.RngBuiltin.Opened, o.QomType)
	case o.RngRandom != nil:
		if err := opened(o.RngRandom.Opened, o.QomType); err != nil {
			return nil, err
		}
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

// opened refuses a member that can no longer be given.
func opened(given *bool, typ api.ObjectType) error {
	if given != nil {
		return qerr.New("Property '%s.opened' is not writable", typ)
	}
	return nil
}

func newIOThread(m *machine.Machine, id string, p *api.IothreadProperties) (*backend.IOThread, error) {
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
	return backend.NewIOThread(m.World, id, o)
}

func newMemory(m *machine.Machine, id string, p *api.MemoryBackendProperties) (*backend.Memory, error) {
	switch {
	case p.Policy != nil && *p.Policy != api.HostMemPolicyDefault && len(p.HostNodes) == 0:
		return nil, qerr.New("host-nodes must be set for policy %s", *p.Policy)
	case p.Policy != nil && *p.Policy != api.HostMemPolicyDefault:
		return nil, unsupported("policy")
	case len(p.HostNodes) > 0:
		return nil, qerr.New("host-nodes must be empty for the default policy, or you should explicitly specify a policy other than default")
	case p.Dump != nil && !*p.Dump:
		return nil, unsupported("dump")
	case p.Merge != nil && !*p.Merge:
		return nil, unsupported("merge")
	case p.Reserve != nil && !*p.Reserve:
		return nil, unsupported("reserve")
	case value(p.Share):
		return nil, unsupported("share")
	case p.PreallocContext != nil:
		return nil, unsupported("prealloc-context")
	case p.PreallocThreads != nil && *p.PreallocThreads != 1:
		return nil, unsupported("prealloc-threads")
	case value(p.XUseCanonicalPathForRamblockId):
		return nil, unsupported("x-use-canonical-path-for-ramblock-id")
	}
	return backend.NewMemory(m.Map, id, p.Size, value(p.Prealloc))
}

func newSecret(m *machine.Machine, p *api.SecretProperties) (*backend.Secret, error) {
	o := backend.SecretOptions{Data: p.Data, File: p.File, KeyID: p.Keyid, IV: p.Iv,
		Base64: p.Format != nil && *p.Format == api.QCryptoSecretFormatBase64}
	return backend.NewSecret(o, func(id string) *backend.Secret {
		if o := objects(m).Child(id); o != nil {
			s, _ := o.Self().(*backend.Secret)
			return s
		}
		return nil
	})
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
			Id: &id, Size: b.Region().Size(), Merge: true, Dump: true, Prealloc: b.Prealloc(), Reserve: &reserve,
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
