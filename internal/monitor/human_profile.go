package monitor

import (
	"cmp"
	"slices"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/hmp/view"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// humanProfile are the human commands that profile locks: the BQL, and those of
// internal/sched with their conditions.
func (h *handlers) humanProfile() hmp.Handlers[*coro.Co] {
	return hmp.Handlers[*coro.Co]{
		"sync-profile": {Run: h.humanSyncProfile, Complete: func(args []string) []string {
			if len(args) > 1 {
				return nil
			}
			return []string{"on", "off", "reset"}
		}},
		"info sync-profile": {Run: h.infoSyncProfile},
	}
}

func (h *handlers) humanSyncProfile(call *hmp.Call, args *hmp.Args) error {
	w := h.m.World
	switch op := args.String("op"); {
	case !args.Has("op") && w.Profiling():
		call.Printf("sync-profile is on\n")
	case !args.Has("op"):
		call.Printf("sync-profile is off\n")
	case op == "on", op == "off":
		w.SetProfiling(op == "on")
	case op == "reset":
		w.ResetProfile()
	default:
		return qerr.New("Invalid parameter '%s'", op)
	}
	return nil
}

func (h *handlers) infoSyncProfile(call *hmp.Call, args *hmp.Args) error {
	shown := int64(10)
	if args.Has("max") {
		shown = max(args.Int("max"), 0)
	}
	rows := profileRows(h.m.World.Profile(), !args.Bool("no_coalesce"))
	slices.SortStableFunc(rows, func(a, b view.SyncSite) int {
		if args.Bool("mean") {
			return cmp.Compare(b.Mean(), a.Mean())
		}
		return cmp.Compare(b.Waited, a.Waited)
	})
	view.PrintSyncProfile(call, rows[:min(shown, int64(len(rows)))])
	return nil
}

// profileRows makes a row of every site, or of all objects of a site.
func profileRows(sites []sched.Site, coalesce bool) (rows []view.SyncSite) {
	type place struct{ kind, where string }
	at := make(map[place]int)
	for _, s := range sites {
		p := place{s.Kind, s.Where}
		i, known := at[p]
		if !coalesce || !known {
			at[p] = len(rows)
			rows = append(rows, view.SyncSite{Kind: s.Kind, Where: s.Where, Object: s.Object, Objects: 1, Count: s.Count, Waited: s.Waited})
			continue
		}
		rows[i].Objects++
		rows[i].Count += s.Count
		rows[i].Waited += s.Waited
	}
	return rows
}
