package qmp_test

import (
	"context"
	"strings"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// yielder is a Y that counts.
type yielder struct{ yields int }

func TestCoroutineCommands(t *testing.T) {
	reg := qmp.NewRegistry[*yielder]()
	err := reg.Add(qmp.Command[*yielder]{Name: "wait", Options: qmp.Coroutine,
		RunCo: func(y *yielder, call *qmp.Call, _ *qobject.Dict) (any, error) {
			y.yields++
			return call.ID, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	s := qmp.NewSession(reg, qmp.Config{})
	prepare := func(text string) (inv *qmp.Invocation[*yielder]) {
		s.Feed([]byte(text), func(r qmp.Request) bool {
			inv = s.Prepare(context.Background(), r)
			return true
		})
		return inv
	}
	inv := prepare(`{"execute": "wait", "id": "i"}`)
	if !inv.Coroutine() || inv.Name() != "wait" {
		t.Fatalf("coroutine %v, name %q", inv.Coroutine(), inv.Name())
	}
	y := &yielder{}
	if got, want := string(inv.DispatchCo(y, nil)), "{\"return\": \"i\", \"id\": \"i\"}\r\n"; got != want || y.yields != 1 {
		t.Errorf("got %q and %d yields, want %q", got, y.yields, want)
	}
	mustPanic(t, "dispatched without a coroutine", func() { prepare(`{"execute": "wait"}`).Dispatch(nil) })
	mustPanic(t, "dispatched as a coroutine", func() { prepare(`{"execute": "no"}`).DispatchCo(y, nil) })
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		if r, _ := recover().(string); !strings.Contains(r, want) {
			t.Errorf("recovered %q, want …%s…", r, want)
		}
	}()
	f()
}

// dispatchOne returns a function that takes a small command from its bytes to
// its reply, and returns that.
func dispatchOne(t testing.TB) func() string {
	s := qmp.NewSession(commands(t), qmp.Config{})
	line := []byte(`{"execute": "none", "id": "libvirt-17"}` + "\n")
	out := make([]byte, 0, 256)
	ctx := context.Background()
	run := func(r qmp.Request) bool {
		out = s.Prepare(ctx, r).Dispatch(out[:0])
		return true
	}
	return func() string {
		s.Feed(line, run)
		return string(out)
	}
}

const dispatchedOne = "{\"return\": {}, \"id\": \"libvirt-17\"}\r\n"

// TestDispatchAllocations keeps the hot path lean: what it makes is the
// request's values, the invocation, and the string the test compares.
func TestDispatchAllocations(t *testing.T) {
	dispatch := dispatchOne(t)
	if got := dispatch(); got != dispatchedOne {
		t.Fatalf("got %q", got)
	}
	if n := testing.AllocsPerRun(100, func() { dispatch() }); n > 10 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDispatch(b *testing.B) {
	dispatch := dispatchOne(b)
	b.ReportAllocs()
	for b.Loop() {
		if got := dispatch(); got != dispatchedOne {
			b.Fatalf("got %q", got)
		}
	}
}
