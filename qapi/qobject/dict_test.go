package qobject

import (
	"maps"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestNilDict(t *testing.T) {
	var d *Dict
	if v, ok := d.Get("a"); d.Len() != 0 || d.Has("a") || v != nil || ok || len(d.Keys()) != 0 || Encode(d) != "{}" {
		t.Error("a nil Dict is not empty")
	}
	for range d.Wire() {
		t.Error("a nil Dict has members")
	}
}

// TestDict compares a Dict with a map and a list of keys.
func TestDict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, model, order := NewDict(), map[string]any{}, []string{}
		key := rapid.Custom(func(t *rapid.T) string { return "k" + strconv.Itoa(rapid.IntRange(0, 30).Draw(t, "n")) })
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				k, v := key.Draw(t, "key"), rapid.Int64().Draw(t, "value")
				if _, had := model[k]; !had {
					order = append(order, k)
				}
				model[k] = v
				d.Set(k, v)
			},
			"delete": func(t *rapid.T) {
				k := key.Draw(t, "key")
				_, had := model[k]
				delete(model, k)
				order = slices.DeleteFunc(order, func(o string) bool { return o == k })
				if d.Delete(k) != had {
					t.Fatalf("Delete(%s) is wrong", k)
				}
			},
			"clone": func(*rapid.T) { d = d.Clone() },
			"": func(t *rapid.T) {
				if d.Len() != len(model) || !slices.Equal(d.Keys(), order) || !maps.Equal(maps.Collect(d.All()), model) {
					t.Fatalf("have %s, want %v in the order %v", Encode(d), model, order)
				}
				for k := range model {
					if v, ok := d.Get(k); !ok || v != model[k] || !d.Has(k) {
						t.Fatalf("Get(%s) is %v, %v", k, v, ok)
					}
				}
			},
		})
	})
}

func TestKindOf(t *testing.T) {
	for _, test := range []struct {
		v    any
		want string
	}{
		{nil, "null"}, {true, "boolean"}, {int64(1), "number"}, {uint64(1), "number"}, {1.5, "number"},
		{"", "string"}, {[]any{}, "array"}, {NewDict(), "object"}, {1, "invalid"},
	} {
		if got := KindOf(test.v).String(); got != test.want {
			t.Errorf("KindOf(%#v) is %s, want %s", test.v, got, test.want)
		}
	}
}
