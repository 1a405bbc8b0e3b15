package qom

import (
	"slices"
	"strings"
	"testing"
)

// What QEMU lists, of which the order of addition is known.
func TestTableOrder(t *testing.T) {
	for _, x := range []struct{ added, listed string }{
		{"rp0 rp1", "rp1 rp0"},
		{"chardevs objects machine backend", "backend machine objects chardevs"},
		{"riscv_virt_board.ram m1 m2 s r rf rb", "m1 rf riscv_virt_board.ram m2 rb r s"},
	} {
		var list []*Property
		for name := range strings.FieldsSeq(x.added) {
			list = append(list, &Property{Name: name})
		}
		var got []string
		for _, p := range inTableOrder(list) {
			got = append(got, p.Name)
		}
		if want := strings.Fields(x.listed); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", x.added, got, want)
		}
	}
}
