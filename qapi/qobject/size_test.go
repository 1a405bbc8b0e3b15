package qobject

import (
	"errors"
	"math"
	"strconv"
	"testing"
)

func TestScanSize(t *testing.T) {
	for _, c := range []struct {
		in    string
		shift uint
		want  uint64
		n     int
		err   error
	}{
		{"0", 0, 0, 1, nil},
		{"4096", 0, 4096, 4, nil},
		{" \t+4096 x", 0, 4096, 7, nil},
		{"64", 20, 64 << 20, 2, nil},
		{"64B", 20, 64, 3, nil},
		{"1k", 0, 1024, 2, nil},
		{"1KB", 0, 1024, 2, nil},
		{"1.5G", 0, 3 << 29, 4, nil},
		{".5k", 0, 512, 3, nil},
		{"8.", 0, 8, 2, nil},
		{"8.0", 0, 8, 3, nil},
		{"0x10", 0, 16, 4, nil},
		{"0x10K", 0, 0, 0, strconv.ErrSyntax},
		{"0X10 K", 20, 16 << 20, 4, nil},
		{"0xeB", 0, 0xeb, 4, nil},
		{"1.0001k", 0, 1024, 7, nil},
		{"1.0006k", 0, 1025, 7, nil},
		{"16383P", 0, 16383 << 50, 6, nil},
		{"18446744073709551615", 0, math.MaxUint64, 20, nil},
		{"18446744073709551616", 0, 0, 0, strconv.ErrRange},
		{"0x10000000000000000", 0, 0, 0, strconv.ErrRange},
		{"16E", 0, 0, 0, strconv.ErrRange},
		{"15.9999999999999999999999E", 0, 1<<64 - 128, 26, nil}, // as near as a float
		{"1.5", 0, 0, 0, strconv.ErrSyntax},
		{"1.5B", 0, 0, 0, strconv.ErrSyntax},
		{"", 0, 0, 0, strconv.ErrSyntax},
		{".", 0, 0, 0, strconv.ErrSyntax},
		{"-1", 0, 0, 0, strconv.ErrSyntax},
		{"0x", 0, 0, 0, strconv.ErrSyntax},
		{"0x1.8K", 0, 0, 0, strconv.ErrSyntax},
		{"K", 0, 0, 0, strconv.ErrSyntax},
	} {
		got, n, err := ScanSize(c.in, c.shift)
		if !errors.Is(err, c.err) || err == nil && (got != c.want || n != c.n) {
			t.Errorf("%q: %d, %d, %v; want %d, %d, %v", c.in, got, n, err, c.want, c.n, c.err)
		}
	}
	if _, err := ParseSize("1KB", 0); !errors.Is(err, strconv.ErrSyntax) {
		t.Errorf("1KB: %v", err)
	}
}

// FuzzScanSize: no text makes it fail, and what it takes is part of the text.
func FuzzScanSize(f *testing.F) {
	f.Add("1.5G", uint8(20))
	f.Add("0x10K", uint8(0))
	f.Fuzz(func(t *testing.T, s string, shift uint8) {
		_, n, _ := ScanSize(s, uint(shift%61))
		if n < 0 || n > len(s) {
			t.Fatalf("%q: %d", s, n)
		}
	})
}
