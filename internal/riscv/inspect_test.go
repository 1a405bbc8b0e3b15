package riscv

import (
	"slices"
	"testing"
)

// TestTranslate: a debugger reads where a load would, and its looking leaves no
// mark.
func TestTranslate(t *testing.T) {
	r := newRig(t, nil)
	if pa, ok := r.Translate(0x1234); !ok || pa != 0x1234 {
		t.Errorf("machine mode: %#x, %v", pa, ok)
	}
	r.paged(pteV | pteR)
	for _, c := range []struct {
		va, pa uint64
		ok     bool
	}{
		{pageVA + 8, ramBase + dataOff + 8, true},
		{ramBase + 0x123456, ramBase + 0x123456, true}, // a superpage
		{pageVA + pageSize, 0, false},
		{1 << 30, 0, false},
		{1 << 38, 0, false}, // not sign-extended
	} {
		if pa, ok := r.Translate(c.va); ok != c.ok || pa != c.pa {
			t.Errorf("%#x: %#x, %v; want %#x, %v", c.va, pa, ok, c.pa, c.ok)
		}
	}
	if r.leafPTE()&(pteA|pteD) != 0 {
		t.Errorf("looking has marked the entry: %#x", r.leafPTE())
	}
	r.SetPriv(PrivU)
	if _, ok := r.Translate(pageVA); ok {
		t.Error("user mode reads a supervisor's page")
	}
}

func TestRegisters(t *testing.T) {
	r := newRig(t, nil)
	r.SetReg(10, 42)
	r.SetPC(ramBase + 0x34)
	control, general := r.Registers()
	if control[0] != (Register{"pc", ramBase + 0x34}) || len(general) != 32 || general[10] != (Register{"x10/a0", 42}) {
		t.Errorf("%v\n%v", control, general)
	}
}

func TestMappings(t *testing.T) {
	r := newRig(t, nil)
	if list, paged, _ := r.Mappings(); paged || len(list) > 0 {
		t.Errorf("bare: %v", list)
	}
	r.paged(pteV | pteR | pteU)
	r.setWord(l0Off+8*4, pte(dataOff+pageSize, pteV|pteR|pteU)) // goes on
	r.setWord(l0Off+8*5, pte(dataOff, pteV|pteR|pteU))          // elsewhere
	want := []Mapping{
		{pageVA, ramBase + dataOff, 2 * pageSize, "r--u---"},
		{pageVA + 2*pageSize, ramBase + dataOff, pageSize, "r--u---"},
		{ramBase, ramBase, 1 << 30, "rwx--ad"},
	}
	list, paged, all := r.Mappings()
	if !paged || !all || !slices.Equal(list, want) {
		t.Errorf("%+v, %v, %v; want %+v", list, paged, all, want)
	}
	// Tables in one another are looked at for a while only.
	for i := range uint64(512) {
		r.setWord(rootOff+8*i, pte(rootOff, pteV))
	}
	if _, _, all := r.Mappings(); all {
		t.Error("512^3 entries were looked at")
	}
}
