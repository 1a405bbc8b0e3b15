package sched

import (
	"cmp"
	"path"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// maxSites bounds what a profile holds: objects come and go with clients. Past it,
// what is new counts for its place in the program alone.
const maxSites = 4096

// A Site is a place in the program where threads took a lock, or waited for a
// condition, while the World was profiled.
type Site struct {
	Kind   string  // "mutex", "condvar", or what [World.Waited] was told
	Object uintptr // the address of the lock or condition; 0 for any
	Where  string  // file and line, as in "internal/bql/bql.go:90"
	Count  uint64  // how often
	Waited int64   // how long in all, nanoseconds
}

// profile is what a World has counted; it is a leaf among locks.
type profile struct {
	mu    sync.Mutex
	sites map[siteKey]*tally
}

type siteKey struct {
	kind       string
	object, pc uintptr
}

type tally struct {
	count  uint64
	waited int64
}

// SetProfiling begins or ends to count who waits for what. A lock that is taken
// costs half a microsecond more while it is on, a branch while it is off. It does
// nothing in a simulated World, where time stands still.
func (w *World) SetProfiling(on bool) {
	if w.sim == nil {
		w.watched.Store(on)
	}
}

// Profiling reports whether the World counts who waits.
func (w *World) Profiling() bool { return w.sim == nil && w.watched.Load() }

// ResetProfile forgets what was counted.
func (w *World) ResetProfile() {
	w.profile.mu.Lock()
	defer w.profile.mu.Unlock()
	w.profile.sites = nil
}

// Waited counts, for a World that is profiled, that the caller of the calling
// function has taken object, a pointer, and waited so many nanoseconds for it. It is
// for locks that are made of others.
func (w *World) Waited(kind string, object any, ns int64) {
	w.count(kind, reflect.ValueOf(object).Pointer(), 4, ns)
}

// count is Waited; skip is what runtime.Callers is to leave out from here.
func (w *World) count(kind string, object uintptr, skip int, ns int64) {
	var pc [1]uintptr
	runtime.Callers(skip, pc[:])
	key := siteKey{kind, object, pc[0]}
	p := &w.profile
	p.mu.Lock()
	defer p.mu.Unlock()
	if !w.watched.Load() { // it was while the wait began
		return
	}
	t := p.sites[key]
	if t == nil && len(p.sites) >= maxSites {
		key.object = 0
		t = p.sites[key]
	}
	if t == nil {
		if p.sites == nil {
			p.sites = make(map[siteKey]*tally)
		}
		t = new(tally)
		p.sites[key] = t
	}
	t.count++
	t.waited += ns
}

// Profile returns what was counted since the beginning, or ResetProfile, those first
// that waited longest. The slice is the caller's.
func (w *World) Profile() []Site {
	w.profile.mu.Lock()
	sites := make([]Site, 0, len(w.profile.sites))
	for key, t := range w.profile.sites {
		sites = append(sites, Site{Kind: key.kind, Object: key.object, Where: where(key.pc), Count: t.count, Waited: t.waited})
	}
	w.profile.mu.Unlock()
	slices.SortFunc(sites, func(a, b Site) int {
		return cmp.Or(cmp.Compare(b.Waited, a.Waited), cmp.Compare(a.Where, b.Where), cmp.Compare(a.Object, b.Object))
	})
	return sites
}

// module is what the names of this module's packages begin with.
const module = "github.com/backplane-vm/backplane/"

// where names a place by its package, which does not depend on where the program was
// built as the file's path does.
func where(pc uintptr) string {
	f, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	dir, name := path.Split(f.Function)
	pkg, _, _ := strings.Cut(name, ".")
	return strings.TrimPrefix(dir+pkg, module) + "/" + path.Base(f.File) + ":" + strconv.Itoa(f.Line)
}
