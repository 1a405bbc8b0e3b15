package monitor

import (
	"testing"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
)

// TestEquivalents: the human monitor's table and the schema fit. What a human
// command does is a command of the schema, and yields if that does.
func TestEquivalents(t *testing.T) {
	h := &handlers{s: &Set{}}
	schema := make(map[string]qmp.Command[*coro.Co])
	for _, c := range api.Table(h) {
		schema[c.Name] = c
	}
	bound := hmp.Handlers[*coro.Co]{}
	for _, part := range h.humanParts() {
		for name, handler := range part {
			bound[name] = handler
		}
	}
	missing := 0
	for human, name := range hmp.Equivalents() {
		handler, ours := bound[human]
		c, ok := schema[name]
		switch {
		case !ours:
			missing++
		case !ok:
			t.Errorf("%s is %s, which the schema does not have", human, name)
		case c.RunCo != nil && handler.RunCo == nil:
			t.Errorf("%s does not yield, %s does", human, name)
		}
	}
	if missing > len(bound)/4 {
		t.Errorf("%d of the commands are not there", missing)
	}
}
