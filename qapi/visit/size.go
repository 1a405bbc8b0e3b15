package visit

import (
	"math/big"
	"strconv"
	"strings"
)

// maxSizeText bounds the length of a size's text, so that its exact arithmetic
// is bounded too. 2^64 has 20 digits; the rest is for a long fraction.
const maxSizeText = 64

// parseSize reads a size as QEMU's options do: decimal digits with an
// optional fraction and unit, or a hexadecimal integer without unit. A
// fraction that is not zero needs a unit above B. The unit is a byte when none
// is given.
func parseSize(s string) (uint64, bool) {
	s = strings.TrimPrefix(strings.TrimLeft(s, " \t\n\v\f\r"), "+")
	if s == "" || len(s) > maxSizeText {
		return 0, false
	}
	if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		n, err := strconv.ParseUint(hex, 16, 64)
		return n, err == nil
	}
	var shift uint
	if i := strings.IndexByte("BKMGTPE", upper(s[len(s)-1])); i >= 0 {
		shift = 10 * uint(i)
		s = s[:len(s)-1]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, false
	}
	if shift == 0 && strings.Trim(fraction, "0") != "" {
		return 0, false
	}
	return scale(whole, fraction, shift)
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}

// scale returns WHOLE.FRACTION * 2^shift, rounded down; ok is false when that
// is 2^64 or more. The texts are digits.
func scale(whole, fraction string, shift uint) (n uint64, ok bool) {
	num, _ := new(big.Int).SetString("0"+whole+fraction, 10)
	den := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(fraction))), nil)
	num.Lsh(num, shift).Quo(num, den)
	return num.Uint64(), num.IsUint64()
}
