package monitor

import (
	"github.com/backplane-vm/backplane/internal/backend"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qmp"
)

// memoryOf returns what all types of memory are told, nil if o is none.
func memoryOf(o *api.ObjectOptions) *api.MemoryBackendProperties {
	switch {
	case o.MemoryBackendFile != nil:
		return o.MemoryBackendFile.AsMemoryBackendProperties()
	case o.MemoryBackendMemfd != nil:
		return o.MemoryBackendMemfd.AsMemoryBackendProperties()
	}
	return o.MemoryBackendRam
}

// checkMemory refuses what this build cannot do.
func checkMemory(typ api.ObjectType, p *api.MemoryBackendProperties) error {
	if p.Size == 0 {
		return qerr.New("property 'size' of %s doesn't take value '0'", typ)
	}
	if value(p.PreallocContext) != "" {
		return backend.NoContext(*p.PreallocContext)
	}
	if value(p.XUseCanonicalPathForRamblockId) {
		return unsupported("x-use-canonical-path-for-ramblock-id")
	}
	return nil
}

func newMemory(m *machine.Machine, o *api.ObjectOptions) (*backend.Memory, error) {
	options := memoryOptions(memoryOf(o))
	switch {
	case o.MemoryBackendFile != nil:
		p := o.MemoryBackendFile
		if value(p.Pmem) {
			return nil, unsupported("pmem")
		}
		f := backend.MemoryFile{Path: p.MemPath, Align: value(p.Align), Offset: value(p.Offset),
			DiscardData: value(p.DiscardData), ReadOnly: value(p.Readonly)}
		if p.Rom != nil && *p.Rom != api.OnOffAutoAuto {
			on := *p.Rom == api.OnOffAutoOn
			f.ROM = &on
		}
		return backend.NewFileMemory(m.World, m.Map, o.Id, options, f)
	case o.MemoryBackendMemfd != nil:
		p := o.MemoryBackendMemfd
		options.Share = p.Share == nil || *p.Share
		f := backend.MemFD{HugeTLB: value(p.Hugetlb), Seal: p.Seal == nil || *p.Seal}
		if p.Hugetlbsize != nil {
			if f.HugeTLBSize = *p.Hugetlbsize; f.HugeTLBSize == 0 {
				return nil, backend.NoHugePages()
			}
		}
		return backend.NewMemFD(m.World, m.Map, o.Id, options, f)
	}
	return backend.NewMemory(m.World, m.Map, o.Id, options)
}

func memoryOptions(p *api.MemoryBackendProperties) backend.MemoryOptions {
	o := backend.DefaultMemory(p.Size)
	for _, x := range []struct{ to, from *bool }{
		{&o.Prealloc, p.Prealloc}, {&o.Merge, p.Merge}, {&o.Dump, p.Dump}, {&o.Share, p.Share}, {&o.Reserve, p.Reserve},
	} {
		if x.from != nil {
			*x.to = *x.from
		}
	}
	if p.PreallocThreads != nil {
		o.PreallocThreads = int(*p.PreallocThreads)
	}
	if p.Policy != nil {
		o.Policy = string(*p.Policy)
	}
	o.HostNodes = p.HostNodes
	return o
}

func (h *handlers) QueryMemdev(*qmp.Call) ([]api.Memdev, error) {
	list := []api.Memdev{}
	eachObject(h.m, func(id string, b *backend.Memory) {
		o := b.Options()
		list = append(list, api.Memdev{
			Id: &id, Size: o.Size, Merge: o.Merge, Dump: o.Dump, Prealloc: o.Prealloc, Share: o.Share, Reserve: &o.Reserve,
			HostNodes: append([]uint16{}, o.HostNodes...), Policy: api.HostMemPolicy(o.Policy),
		})
	})
	return list, nil
}
