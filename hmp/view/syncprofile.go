package view

import (
	"fmt"
	"io"
	"strings"
)

// SyncSite is a place in the program where threads took a lock or waited.
type SyncSite struct {
	Kind    string // "mutex"
	Where   string // file and line
	Object  uintptr
	Objects int    // how many stand for the one; Object counts if it is 1
	Count   uint64 // how often
	Waited  int64  // in all, nanoseconds
}

// Mean is how long each wait was, in nanoseconds.
func (s *SyncSite) Mean() float64 { return float64(s.Waited) / float64(max(s.Count, 1)) }

// PrintSyncProfile writes a table of the sites, in the order that they come in.
func PrintSyncProfile(w io.Writer, sites []SyncSite) {
	width := len("Call site")
	for _, s := range sites {
		width = max(width, len(s.Where))
	}
	head := fmt.Sprintf("%-9s  %14s  %-*s  %13s  %12s  %12s", "Type", "Object", width, "Call site", "Wait Time (s)", "Count", "Average (us)")
	rule := strings.Repeat("-", len(head))
	fmt.Fprintf(w, "%s\n%s\n", head, rule)
	for _, s := range sites {
		object := fmt.Sprintf("[%12d]", s.Objects)
		if s.Objects == 1 {
			object = fmt.Sprintf("%#x", s.Object)
		}
		fmt.Fprintf(w, "%-9s  %14s  %-*s  %13.5f  %12d  %12.2f\n", s.Kind, object, width, s.Where, float64(s.Waited)/1e9, s.Count, s.Mean()/1e3)
	}
	fmt.Fprintln(w, rule)
}
