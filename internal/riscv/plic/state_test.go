package plic

import (
	"reflect"
	"testing"
)

func TestState(t *testing.T) {
	d := New(Config{Sources: 96, Contexts: 2, Output: func(int, bool) {}})
	d.Write(priorityBase+4*40, 4, 5)
	d.Write(enableBase+enableStride+4, 4, 1<<8) // source 40, context 1
	d.Write(contextBase+contextStride, 4, 3)
	d.SetIRQ(40, true)
	d.SetIRQ(7, true)
	want := State{Pending: []int{7, 40}, Contexts: []ContextState{{}, {Enabled: []int{40}, Threshold: 3, Line: true}}}
	if got := d.State(); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	d.Read(contextBase+contextStride+4, 4)
	want.Pending, want.Claimed, want.Contexts[1].Line = []int{7}, []int{40}, false
	if got := d.State(); !reflect.DeepEqual(got, want) {
		t.Errorf("after the claim: %+v", got)
	}
}
