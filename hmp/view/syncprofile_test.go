package view

import (
	"io"
	"strings"
	"testing"
)

// TestSyncProfileLayout: rows as QEMU 7.2 was seen to print them.
func TestSyncProfileLayout(t *testing.T) {
	const none = `Type               Object  Call site  Wait Time (s)         Count  Average (us)
-------------------------------------------------------------------------------
-------------------------------------------------------------------------------
`
	const some = `Type               Object  Call site              Wait Time (s)         Count  Average (us)
-------------------------------------------------------------------------------------------
condvar    [           2]  softmmu/cpus.c:423           0.10051             6      16751.67
mutex      0x56222132f560  monitor/monitor.c:217        0.00001           336          0.03
BQL mutex  0x5621fef77440  util/main-loop.c:318         0.00000            39          0.11
-------------------------------------------------------------------------------------------
`
	sites := []SyncSite{
		{Kind: "condvar", Where: "softmmu/cpus.c:423", Objects: 2, Count: 6, Waited: 100510000},
		{Kind: "mutex", Where: "monitor/monitor.c:217", Object: 0x56222132f560, Objects: 1, Count: 336, Waited: 10080},
		{Kind: "BQL mutex", Where: "util/main-loop.c:318", Object: 0x5621fef77440, Objects: 1, Count: 39, Waited: 4290},
	}
	for want, sites := range map[string][]SyncSite{none: nil, some: sites} {
		if got := printed(func(w io.Writer) { PrintSyncProfile(w, sites) }); got != want {
			t.Errorf("\n%s\nwant\n%s", got, want)
		}
		if rows := strings.Count(want, "\n"); rows != len(sites)+3 {
			t.Errorf("%d rows", rows)
		}
	}
}
