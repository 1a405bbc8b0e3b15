package monitor_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/block"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// Words recorded from QEMU 7.2.22, the same commands in the same order, but for
// the spelling of what 10.0 says differently.
func TestThrottling(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g := start(t, 1)
	c := g.qmp(ctx)
	g.m.Locked("drive", func() {
		if _, err := g.m.Blocks.AddDrive(nil, block.Drive{ID: "d0", Interface: "none", Medium: block.Options{Driver: "null-co"}}); err != nil {
			t.Fatal(err)
		}
	})
	const (
		both  = "bps/iops/max total values and read/write values cannot be used at the same time"
		zero  = `"bps":0,"bps_rd":0,"bps_wr":0,"iops":0,"iops_rd":0,"iops_wr":0`
		other = `"bps_rd":0,"bps_wr":0,"iops":0,"iops_rd":0,"iops_wr":0`
		back  = `"/machine/peripheral/v/virtio-backend"`
	)
	for _, x := range []struct{ command, args, want, fail string }{
		{"object-add", `{"qom-type":"throttle-group","id":"g"}`, `{}`, ""},
		{"qom-get", `{"path":"/objects/g","property":"x-bps-read-max-length"}`, `1`, ""},
		{"qom-set", `{"path":"/objects/g","property":"x-iops-total","value":10}`, "", "Property cannot be set after initialization"},
		{"qom-set", `{"path":"/objects/g","property":"limits","value":{"iops-total":10}}`, `{}`, ""},
		{"qom-set", `{"path":"/objects/g","property":"limits","value":{"iops-total":10,"iops-read":5}}`, "", both},
		{"qom-set", `{"path":"/objects/g","property":"limits","value":{"bps-total":100,"bps-total-max":1000,"bps-total-max-length":5}}`, `{}`, ""},
		{"qom-set", `{"path":"/objects/g","property":"limits","value":{"iops-total":-10}}`, "", "bps/iops/max values must be within [0, 1000000000000000]"},
		{"qom-set", `{"path":"/objects/g","property":"limits","value":{"bogus":1}}`, "", "Parameter 'limits.bogus' is unexpected"},
		{"qom-set", `{"path":"/objects/g","property":"limits","value":5}`, "", "Invalid parameter type for 'limits', expected: object"},
		{"qom-set", `{"path":"/objects/g","property":"limits","value":{"iops-total":"x"}}`, "", "Invalid parameter type for 'limits.iops-total', expected: integer"},
		{"qom-set", `{"path":"/objects/g","property":"limits","value":{"bps-total-max-length":4294967296}}`, "", "bps-total-max-length value must be in the range [0, 4294967295]"},
		{"qom-get", `{"path":"/objects/g","property":"limits"}`, `{"bps-read-max-length": 1, "iops-read-max-length": 1, "bps-read-max": 0, "bps-total": 100, ` +
			`"iops-total-max-length": 1, "iops-total": 10, "iops-write-max": 0, "bps-write": 0, "bps-total-max": 1000, "bps-write-max": 0, "iops-size": 0, "iops-read": 0, ` +
			`"iops-write-max-length": 1, "iops-write": 0, "bps-total-max-length": 5, "iops-read-max": 0, "bps-read": 0, "bps-write-max-length": 1, "iops-total-max": 0}`, ""},
		{"object-add", `{"qom-type":"throttle-group","id":"h","limits":{"iops-total":10,"iops-read":5}}`, "", both},
		{"object-add", `{"qom-type":"throttle-group","id":"h","x-iops-total":10,"x-iops-read":1}`, "", both},
		{"object-add", `{"qom-type":"throttle-group","id":"h","x-iops-total":-10}`, "", "Property values cannot be negative"},
		{"object-add", `{"qom-type":"throttle-group","id":"h","x-iops-total-max-length":1099511627776}`, "", "x-iops-total-max-length value must be in therange [0, 4294967295]"},
		{"object-add", `{"qom-type":"throttle-group","id":"h","x-iops-total":1099511627776}`, `{}`, ""},

		{"blockdev-add", `{"driver":"throttle","node-name":"t"}`, "", "Parameter 'throttle-group' is missing"},
		{"blockdev-add", `{"driver":"throttle","node-name":"t","file":{"driver":"null-co"},"throttle-group":"nope"}`, "", "Throttle group 'nope' does not exist"},
		{"blockdev-add", `{"driver":"throttle","node-name":"t","file":"nope","throttle-group":"g"}`, "", "Cannot find device='nope' nor node-name='nope'"},
		{"blockdev-add", `{"driver":"throttle","node-name":"t","file":{"driver":"null-co","node-name":"n"},"throttle-group":"g"}`, `{}`, ""},
		{"object-del", `{"id":"g"}`, "", "object 'g' is in use, can not be deleted"},
		{"x-debug-query-block-graph", `{}`, `{"edges": [{"name": "file", "parent": 4, "shared-perm": ["resize", "write-unchanged", "write", "consistent-read"], ` +
			`"perm": [], "child": 3}, {"name": "root", "parent": 1, "shared-perm": ["resize", "write-unchanged", "write", "consistent-read"], "perm": ["consistent-read"], "child": 2}], ` +
			`"nodes": [{"name": "t", "type": "block-driver", "id": 4}, {"name": "n", "type": "block-driver", "id": 3}, ` +
			`{"name": "#block101", "type": "block-driver", "id": 2}, {"name": "d0", "type": "block-backend", "id": 1}]}`, ""},
		{"device_add", `{"driver":"virtio-blk-pci","id":"v","drive":"t","bus":"rp0"}`, `{}`, ""},
		{"blockdev-del", `{"node-name":"t"}`, "", "Node t is in use"},

		{"block_set_io_throttle", `{` + zero + `}`, "", "Need exactly one of 'device' and 'id'"},
		{"block_set_io_throttle", `{"device":"d0","id":"v",` + zero + `}`, "", "Need exactly one of 'device' and 'id'"},
		{"block_set_io_throttle", `{"device":"nope",` + zero + `}`, "", "Device 'nope' not found"},
		{"block_set_io_throttle", `{"device":"",` + zero + `}`, "", "Device '' not found"},
		{"block_set_io_throttle", `{"id":"nope",` + zero + `}`, "", "Device 'nope' not found"},
		{"block_set_io_throttle", `{"id":"v",` + zero + `}`, "", "Device does not have a block device backend"},
		{"block_set_io_throttle", `{"id":` + back + `,` + zero + `}`, `{}`, ""},
		{"block_set_io_throttle", `{"device":"d0","bps":-1,` + other + `}`, "", "bps/iops/max values must be within [0, 1000000000000000]"},
		{"block_set_io_throttle", `{"device":"d0","bps":5,"bps_max":7,"bps_max_length":0,` + other + `}`, "", "the burst length cannot be 0"},
		{"block_set_io_throttle", `{"device":"d0","bps":5,"bps_max":7,"bps_max_length":2,` + other + `}`, `{}`, ""},
		{"object-add", `{"qom-type":"throttle-group","id":"d0"}`, "", "A group with this name already exists"},
		{"block_set_io_throttle", `{"id":` + back + `,"bps":60,"group":"d0",` + other + `}`, `{}`, ""},
		{"human-monitor-command", `{"command-line":"info block"}`, `"d0 (#block101): null-co:// (null-co)\r\n    Removable device: not locked, tray closed\r\n    Cache mode:       writeback\r\n` +
			`    I/O throttling:   bps=60 bps_rd=0 bps_wr=0 bps_max=0 bps_rd_max=0 bps_wr_max=0 iops=0 iops_rd=0 iops_wr=0 iops_max=0 iops_rd_max=0 iops_wr_max=0 iops_size=0 group=d0\r\n\r\n` +
			`t: json:{\"throttle-group\": \"g\", \"driver\": \"throttle\", \"file\": {\"driver\": \"null-co\"}} (throttle)\r\n    Attached to:      /machine/peripheral/v/virtio-backend\r\n` +
			`    Cache mode:       writeback\r\n` +
			`    I/O throttling:   bps=60 bps_rd=0 bps_wr=0 bps_max=0 bps_rd_max=0 bps_wr_max=0 iops=0 iops_rd=0 iops_wr=0 iops_max=0 iops_rd_max=0 iops_wr_max=0 iops_size=0 group=d0\r\n"`, ""},
		{"human-monitor-command", `{"command-line":"block_set_io_throttle d0 0 0 0 0 0 0"}`, `""`, ""},
		{"human-monitor-command", `{"command-line":"block_set_io_throttle nope 0 0 0 0 0 0"}`, `"Error: Device 'nope' not found\r\n"`, ""},
		{"human-monitor-command", `{"command-line":"block_set_io_throttle /machine/peripheral/v/virtio-backend 1 1 0 0 0 0"}`, `"Error: ` + both + `\r\n"`, ""},

		{"blockdev-open-tray", `{}`, "", "Need exactly one of 'device' and 'id'"},
		{"blockdev-open-tray", `{"id":` + back + `,"force":true}`, "", "Device '/machine/peripheral/v/virtio-backend' is not removable"},
		{"blockdev-close-tray", `{"id":` + back + `}`, "", "Device '/machine/peripheral/v/virtio-backend' is not removable"},
		{"blockdev-close-tray", `{"device":"nope"}`, "", "Device 'nope' not found"},
		{"blockdev-open-tray", `{"device":"d0"}`, `{}`, ""},
		{"blockdev-close-tray", `{"device":"d0"}`, `{}`, ""},
		{"blockdev-reopen", `{"options":[{"driver":"throttle","file":"n","throttle-group":"h"}]}`, "", "node-name not specified"},
		{"blockdev-reopen", `{"options":[{"driver":"throttle","node-name":"nope","file":"n","throttle-group":"h"}]}`, "", "Failed to find node with node-name='nope'"},
		{"blockdev-reopen", `{"options":[{"driver":"throttle","node-name":"t","file":"n","throttle-group":"nope"}]}`, "", "Throttle group 'nope' does not exist"},
		{"blockdev-reopen", `{"options":[{"driver":"throttle","node-name":"t","throttle-group":"h"}]}`, "", "Parameter 'options[0].file' is missing"},
		{"blockdev-reopen", `{"options":[{"driver":"throttle","node-name":"t","file":"n","throttle-group":"h"}]}`, `{}`, ""},
		{"object-del", `{"id":"g"}`, `{}`, ""},
		{"object-del", `{"id":"h"}`, "", "object 'h' is in use, can not be deleted"},
		{"blockdev-reopen", `{"options":[{"driver":"throttle","node-name":"t","file":"n","throttle-group":"h","read-only":true}]}`, "", "Read-only block node 't' cannot support read-write users"},

		{"block-latency-histogram-set", `{"id":"v"}`, "", "Device does not have a block device backend"},
		{"block-latency-histogram-set", `{"id":` + back + `,"boundaries":[20,10]}`, "", "Device '/machine/peripheral/v/virtio-backend' set read boundaries fail"},
		{"block-latency-histogram-set", `{"id":` + back + `,"boundaries":[]}`, `{}`, ""},
		{"block-latency-histogram-set", `{"id":` + back + `}`, `{}`, ""},
		{"block-set-write-threshold", `{"node-name":"nope","write-threshold":5}`, "", "Device 'nope' not found"},
	} {
		answer, fail := ask(ctx, t, c, x.command, x.args)
		if got := string(qobject.Append(nil, answer)); fail != x.fail || fail == "" && got != x.want {
			t.Errorf("%s %s:\n%s %q, want\n%s %q", x.command, x.args, got, fail, x.want, x.fail)
		}
	}
}

// A disk that is held to limits is slower for its guest, and a threshold and a
// histogram tell what the guest did.
func TestGuestIsThrottled(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	image := filepath.Join(t.TempDir(), "d.img")
	if err := os.WriteFile(image, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, 1)
	c := g.qmp(ctx)
	cursor := c.Events().Cursor()
	g.con.await(t, "ready")
	for _, x := range [][2]string{
		{"object-add", `{"qom-type":"throttle-group","id":"g","limits":{"iops-total":10}}`},
		{"blockdev-add", `{"driver":"throttle","node-name":"t","throttle-group":"g","file":{"driver":"file","node-name":"f","filename":"` + image + `"}}`},
		{"block-set-write-threshold", `{"node-name":"f","write-threshold":1}`},
		{"device_add", `{"driver":"virtio-blk-pci","id":"disk","drive":"t","bus":"rp0"}`},
		{"block-latency-histogram-set", `{"id":"/machine/peripheral/disk/virtio-backend","boundaries":[50000000]}`},
	} {
		if _, fail := ask(ctx, t, c, x[0], x[1]); fail != "" {
			t.Fatal(fail)
		}
	}
	g.con.await(t, "write-verify port=00:01.0 slot=0 plug=1 ")
	for !readsSlowly(ctx, t, c) { // the guest reads on and on; what it read first may have been before the histogram
		if ctx.Err() != nil {
			t.Fatal("at ten requests a second none of the guest's reads takes long")
		}
	}
	e, err := c.WaitEvent(ctx, cursor, func(e qmp.Received) bool { return e.Name == "BLOCK_WRITE_THRESHOLD" })
	if err != nil {
		t.Fatal(err)
	}
	if data := string(qobject.Append(nil, e.Data)); !strings.Contains(data, `"node-name": "f"`) || !strings.Contains(data, `"write-threshold": 1`) {
		t.Errorf("event %s", data)
	}
}

// readsSlowly reports whether a read of the only disk has taken longer than the first
// boundary of its histogram.
func readsSlowly(ctx context.Context, t *testing.T, c *qmp.Client) bool {
	t.Helper()
	answer, fail := ask(ctx, t, c, "query-blockstats", `{}`)
	var list []struct {
		Stats struct {
			Hist struct {
				Bins []int
			} `json:"rd_latency_histogram"`
		}
	}
	if err := json.Unmarshal(qobject.Append(nil, answer), &list); err != nil || fail != "" || len(list) != 1 || len(list[0].Stats.Hist.Bins) != 2 {
		t.Fatal(err, fail, list)
	}
	return list[0].Stats.Hist.Bins[1] > 0
}
