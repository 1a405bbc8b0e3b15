package hmp

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// parseUint reads an unsigned number in C's notation (0x1f, 017, 15) from the
// beginning of s and returns its length, 0 if there is none.
func parseUint(s string) (val uint64, n int, overflow bool) {
	base := uint64(10)
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && digit(s[2]) < 16 {
		base, n = 16, 2
	} else if len(s) > 0 && s[0] == '0' {
		base = 8
	}
	for ; n < len(s); n++ {
		d := uint64(digit(s[n]))
		if d >= base {
			break
		}
		hi, lo := bits.Mul64(val, base)
		sum, carry := bits.Add64(lo, d, 0)
		overflow = overflow || hi != 0 || carry != 0
		val = sum
	}
	return val, n, overflow
}

// noDigit is no digit in any base.
const noDigit = 255

func digit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return noDigit
}

// digitRun is how many decimal digits s begins with.
func digitRun(s string) int {
	n := 0
	for n < len(s) && digit(s[n]) < 10 {
		n++
	}
	return n
}

var errSize = errors.New("invalid size")

// parseSize reads a size from the beginning of s and returns its length. Without
// a unit it counts MiB. A size past 2^63-1 bytes is an error.
func parseSize(s string) (size int64, n int, err error) {
	bytes, n, err := qobject.ScanSize(s, 20)
	if err != nil || bytes > math.MaxInt64 {
		return 0, n, errSize
	}
	return int64(bytes), n, nil
}

// parseSeconds reads a number of seconds, or of ms, us or ns, from the
// beginning of s.
func parseSeconds(s string) (seconds float64, n int, err error) {
	n = floatLen(s)
	if n == 0 {
		return 0, 0, qerr.New("Number expected")
	}
	seconds, _ = strconv.ParseFloat(s[:n], 64)
	if math.IsNaN(seconds) || math.IsInf(seconds, 0) {
		return 0, n, qerr.New("Bad number")
	}
	if n+1 < len(s) && s[n+1] == 's' {
		switch s[n] {
		case 'm':
			seconds, n = seconds/1e3, n+2
		case 'u':
			seconds, n = seconds/1e6, n+2
		case 'n':
			seconds, n = seconds/1e9, n+2
		}
	}
	if n < len(s) && strings.IndexByte(blanks, s[n]) < 0 {
		return 0, n, qerr.New("Unknown unit suffix")
	}
	return seconds, n, nil
}

// floatLen is the length of the floating point number, infinity or NaN that s
// begins with; 0 if there is none.
func floatLen(s string) int {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	for _, word := range []string{"infinity", "inf", "nan"} {
		if len(s)-i >= len(word) && strings.EqualFold(s[i:i+len(word)], word) {
			return i + len(word)
		}
	}
	digits := digitRun(s[i:])
	i += digits
	if i < len(s) && s[i] == '.' {
		n := digitRun(s[i+1:])
		if digits+n == 0 {
			return 0
		}
		digits += n
		i += 1 + n
	}
	if digits == 0 {
		return 0
	}
	if i < len(s) && s[i]&^0x20 == 'E' {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		if n := digitRun(s[j:]); n > 0 {
			i = j + n
		}
	}
	return i
}
