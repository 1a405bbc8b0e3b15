package virt_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/backplane-vm/backplane/internal/machine/virt"
)

// TestListings: devices have the properties that QEMU 10.0 was seen to list, in
// its order.
func TestListings(t *testing.T) {
	r, err := virt.NewRegistry()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("testdata/device-properties-10.0.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded map[string][]struct {
		Name, Type, Description string
		Default                 json.RawMessage `json:"default-value"`
	}
	if err := json.Unmarshal(raw, &recorded); err != nil {
		t.Fatal(err)
	}
	for class, want := range recorded {
		got, err := r.ListProperties(class)
		if err != nil || len(got) != len(want) {
			t.Errorf("%s: %d properties (%v), want %d", class, len(got), err, len(want))
		}
		for i := range min(len(got), len(want)) {
			g, w := got[i], want[i]
			value := ""
			if g.HasDefault {
				b, err := json.Marshal(g.Default)
				if err != nil {
					t.Fatal(err)
				}
				value = string(b)
			}
			if g.Name != w.Name || g.Type != w.Type || g.Description != w.Description || value != string(w.Default) {
				t.Errorf("%s: %d is %s %s %s %q, want %s %s %s %q", class, i, g.Name, g.Type, value, g.Description,
					w.Name, w.Type, w.Default, w.Description)
			}
		}
	}
}
