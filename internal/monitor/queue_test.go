package monitor_test

import (
	"bufio"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
)

// TestBackPressure: with out-of-band execution eight commands may wait behind
// one in work. An out-of-band command overtakes as long as there is room for
// one more; behind the eighth it is not read. Without, one is in the house.
func TestBackPressure(t *testing.T) {
	for _, test := range []struct {
		name     string
		oob      bool
		waiting  int
		overtake bool
	}{
		{"room for one", true, qmp.MaxQueue - 1, true},
		{"full", true, qmp.MaxQueue, false},
		{"not negotiated", false, 1, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := start(t, 1)
			free := g.block()
			conn := g.socket()
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			enable := ""
			if test.oob {
				enable = `, "arguments": {"enable": ["oob"]}`
			}
			text := `{"execute": "qmp_capabilities"` + enable + `}` + stuck + `}`
			for i := range test.waiting {
				text += fmt.Sprintf(`{"execute": "query-name", "id": %d}`, i)
			}
			text += `{"exec-oob": "x-query-stalls", "id": "past"}`
			if _, err := conn.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
			watcher := g.dial(t.Context())
			for settled := false; !settled; {
				for _, m := range g.stalls(t.Context(), watcher).Monitors {
					stopped := m.Stopped != nil && *m.Stopped == api.XStallsReasonQueue
					held := map[bool]int64{true: int64(test.waiting), false: 0}[test.oob]
					settled = settled || m.Command != nil && *m.Command == "device_add" && m.Queued == held && stopped != test.overtake
				}
			}
			r := bufio.NewReader(conn)
			next := func() string {
				for {
					line, err := r.ReadString('\n')
					switch {
					case err != nil:
						t.Fatal(err)
					case strings.Contains(line, `"id": "past"`):
						return "past"
					case strings.HasPrefix(line, `{"id": "stuck"`):
						return "stuck"
					case strings.HasPrefix(line, `{"return": {}, "id": `):
						return "name"
					}
				}
			}
			if test.overtake && next() != "past" {
				t.Error("the out-of-band command has not overtaken")
			}
			free()
			if first := next(); first != "stuck" {
				t.Errorf("%s is answered before the command in work", first)
			}
			for range test.waiting {
				next()
			}
		})
	}
}
