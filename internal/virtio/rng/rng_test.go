package rng_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/internal/virtio/rng"
	"github.com/backplane-vm/backplane/internal/virtio/virtiotest"
)

func newBoard(t testing.TB) *virtiotest.Board {
	b := virtiotest.New(t, nil, rng.Register)
	b.Add("pcie-root-port", "rp0", "chassis", int64(1))
	b.Start()
	b.At(0, 1, 0).Open(1, 0)
	return b
}

func plugged(t testing.TB, args ...any) (*virtiotest.Board, *virtiotest.Driver) {
	b := newBoard(t)
	b.Add("virtio-rng-pci", "r0", append([]any{"bus", "rp0"}, args...)...)
	b.At(0, 1, 0).Write(0x54+0x18, 0x0100, 2)
	d := b.At(1, 0, 0).Probe(0)
	d.Start()
	return b, d
}

func TestEntropy(t *testing.T) {
	b, d := plugged(t)
	if id, class := d.Read(0, 4), d.Read(8, 4); id != 0x10441af4 || class != 0x00ff0001 {
		t.Errorf("identity %#x, class %#x", id, class)
	}
	d.Offer(0, virtiotest.Buffer{At: d.Data(), Len: 100, Writable: true})
	d.Notify()
	b.Settle()
	if got := b.Bytes(d.Data(), 101); d.UsedLen(0) != 100 || !bytes.Equal(got[:100], bytes.Repeat([]byte{0xa5}, 100)) || got[100] != 0 {
		t.Errorf("%d bytes, % x", d.UsedLen(0), got)
	}
	d.Offer(0, virtiotest.Buffer{At: d.Data(), Len: 1 << 20, Writable: true})
	d.Notify()
	b.Settle()
	if got := d.UsedLen(1); got != 64<<10 {
		t.Errorf("a large request got %d bytes", got)
	}
}

func TestQuota(t *testing.T) {
	b, d := plugged(t, "max-bytes", int64(60), "period", int64(1_000_000))
	for range 3 {
		d.Offer(0, virtiotest.Buffer{At: d.Data(), Len: 40, Writable: true})
		d.Notify()
		b.Settle()
	}
	if d.Used() != 2 || d.UsedLen(0) != 40 || d.UsedLen(1) != 20 {
		t.Errorf("%d used, %d and %d bytes", d.Used(), d.UsedLen(0), d.UsedLen(1))
	}
}

func TestErrors(t *testing.T) {
	b := newBoard(t)
	const positive = "'max-bytes' parameter must be positive, and less than 2^63"
	for _, c := range []struct {
		want string
		args []any
	}{
		{positive, []any{"max-bytes", int64(0)}},
		{positive, []any{"max-bytes", int64(-1)}},
		{positive, []any{"max-bytes", uint64(1) << 63}},
		{"Parameter 'max-bytes' expects uint64", []any{"max-bytes", "many"}},
		{"'period' parameter expects a positive integer", []any{"period", int64(0)}},
		{"Device 'nonesuch' not found", []any{"rng", "nonesuch"}},
		{"Invalid parameter type for 'ats', expected: boolean", []any{"ats", "on"}},
	} {
		if err := b.TryAdd("virtio-rng-pci", "a", append([]any{"bus", "rp0"}, c.args...)...); err == nil || err.Error() != c.want {
			t.Errorf("%v: %v, want %s", c.args, err, c.want)
		}
		b.Settle()
	}
	b.Deleted = nil
	b.Add("virtio-rng-pci", "a", "bus", "rp0", "ats", true, "addr", "00.0")
	if err := b.Tree.Del("a"); err != nil {
		t.Fatal(err)
	}
	b.Settle()
	if want := []string{"/machine/peripheral/a/virtio-backend", "/machine/peripheral/a"}; !slices.Equal(b.Deleted, want) {
		t.Errorf("deleted %v", b.Deleted)
	}
}
