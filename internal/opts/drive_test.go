package opts_test

import (
	"maps"
	"testing"

	"github.com/backplane-vm/backplane/internal/opts"
)

func TestDriveThrottling(t *testing.T) {
	d, err := opts.ParseDrive("file=x,format=raw,if=none,id=d,iops_rd=0x10,throttling.bps-write-max=7,group=g,iops_size=512")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{"iops-read": 16, "bps-write-max": 7, "iops-size": 512}
	if !maps.Equal(d.Limits, want) || d.Group != "g" {
		t.Errorf("%v in group %q, want %v", d.Limits, d.Group, want)
	}
	for _, name := range d.Node.Keys() {
		if name != "driver" {
			t.Errorf("%s is left for the node", name)
		}
	}
}
