package qobject

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// ScanSize reads a size in bytes from the beginning of s and returns its
// length: a decimal number, perhaps with a fraction, and a unit B, K, M, G, T, P
// or E of either case (powers of 1024), or a hexadecimal number without unit.
// Without a unit it is multiplied by 2^shift. Blanks and a '+' may stand before
// it; a fraction needs a unit that leaves whole bytes to it, which are rounded. The
// error is
// strconv.ErrSyntax, or strconv.ErrRange for 2^64 bytes and more.
//
// It is what options, properties, QMP's key=value and the human monitor have in
// common (QEMU: qemu_strtosz and its like).
func ScanSize(s string, shift uint) (size uint64, n int, err error) {
	n = len(s) - len(strings.TrimLeft(s, " \t\n\v\f\r"))
	start := n
	whole, fraction, n, err := scanFixed(s, n)
	if err != nil {
		return 0, n, err
	}
	if n < len(s) && s[n] >= 'A' {
		if i := strings.IndexByte("bkmgtpe", s[n]|0x20); i >= 0 {
			if strings.ContainsAny(s[start:n], "xX") {
				return 0, n, strconv.ErrSyntax
			}
			shift = uint(10 * i)
			n++
		}
	}
	if shift == 0 && fraction != 0 {
		return 0, n, strconv.ErrSyntax
	}
	over, size := bits.Mul64(whole, 1<<shift)
	carried, rest := bits.Mul64(fraction, 1<<shift)
	size, carry := bits.Add64(size, carried, rest>>63) // rounds half up
	if over != 0 || carry != 0 {
		return 0, n, strconv.ErrRange
	}
	return size, n, nil
}

// ParseSize is ScanSize for a text that is a size and nothing else.
func ParseSize(s string, shift uint) (uint64, error) {
	size, n, err := ScanSize(s, shift)
	if err == nil && n < len(s) {
		err = strconv.ErrSyntax
	}
	return size, err
}

// scanFixed reads an unsigned number at s[i:]: decimal with an optional
// fraction, returned in units of 2^-64, or hexadecimal without one.
func scanFixed(s string, i int) (whole, fraction uint64, end int, err error) {
	if i < len(s) && s[i] == '+' {
		i++
	}
	if rest := s[i:]; len(rest) > 1 && rest[0] == '0' && rest[1]|0x20 == 'x' {
		digits := leading(rest[2:], "0123456789abcdefABCDEF")
		end = i + 2 + len(digits)
		if digits == "" || end < len(s) && s[end] == '.' {
			return 0, 0, i, strconv.ErrSyntax
		}
		whole, err = strconv.ParseUint(digits, 16, 64)
		return whole, 0, end, cause(err)
	}
	digits := leading(s[i:], decimals)
	if end = i + len(digits); digits != "" {
		if whole, err = strconv.ParseUint(digits, 10, 64); err != nil {
			return 0, 0, end, cause(err)
		}
	}
	if end == len(s) || s[end] != '.' {
		if digits == "" {
			err = strconv.ErrSyntax
		}
		return whole, 0, end, err
	}
	tail := leading(s[end+1:], decimals)
	if digits == "" && tail == "" {
		return 0, 0, i, strconv.ErrSyntax
	}
	f, _ := strconv.ParseFloat("0."+tail+"0", 64) // digits only
	f = min(f, math.Nextafter(1, 0))              // 0.999... may be rounded up
	return whole, uint64(math.Ldexp(f, 64)), end + 1 + len(tail), nil
}

const decimals = "0123456789"

// leading is what s begins with of the characters in set.
func leading(s, set string) string { return s[:len(s)-len(strings.TrimLeft(s, set))] }

// cause is what a number of digits alone can fail for.
func cause(err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return strconv.ErrRange
	}
	return err
}
