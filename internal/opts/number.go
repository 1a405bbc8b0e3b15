package opts

import (
	"errors"
	"math/big"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// ParseBool reads the value of a switch called name.
func ParseBool(name, value string) (bool, error) {
	switch value {
	case "on", "yes", "true", "y":
		return true, nil
	case "off", "no", "false", "n":
		return false, nil
	}
	return false, qerr.New("Parameter '%s' expects 'on' or 'off'", name)
}

// ParseNumber reads the value of a number called name in C's notation: decimal,
// 0x… or 0…. As in QEMU, a negative number counts from 2^64 down.
func ParseNumber(name, value string) (uint64, error) {
	digits := strings.TrimLeft(value, " \t\n\v\f\r")
	negative := strings.HasPrefix(digits, "-")
	if negative || strings.HasPrefix(digits, "+") {
		digits = digits[1:]
	}
	base := 10
	switch {
	case len(digits) > 1 && (digits[:2] == "0x" || digits[:2] == "0X"):
		base, digits = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base = 8
	}
	n, err := strconv.ParseUint(digits, base, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, qerr.New("Value '%s' is too large for parameter '%s'", value, name)
	case err != nil:
		return 0, qerr.New("Parameter '%s' expects a number", name)
	case negative:
		n = -n
	}
	return n, nil
}

// ParseSize reads the value of a size called name, in bytes: a number with an
// optional suffix B, K, M, G, T, P or E of either case, powers of 1024. A
// fraction is allowed where the suffix leaves whole bytes to it. Hexadecimal
// takes no suffix.
func ParseSize(name, value string) (uint64, error) { return parseSize(name, value, 0) }

// parseSize is ParseSize with the shift that a number without suffix gets.
func parseSize(name, value string, shift uint) (uint64, error) {
	n, err := scanSize(value, shift)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, qerr.New("Value '%s' is out of range for parameter '%s'", value, name)
	case err != nil:
		return 0, qerr.New("Parameter '%s' expects a non-negative number below 2^64", name).
			WithHint("Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.\n")
	}
	return n, nil
}

// maxSizeText bounds the work on one size; 2^64 has 20 digits.
const maxSizeText = 64

func scanSize(s string, shift uint) (uint64, error) {
	s = strings.TrimPrefix(strings.TrimLeft(s, " \t\n\v\f\r"), "+")
	if s == "" || len(s) > maxSizeText {
		return 0, strconv.ErrSyntax
	}
	if len(s) > 2 && (s[:2] == "0x" || s[:2] == "0X") {
		n, err := strconv.ParseUint(s[2:], 16, 64)
		if err == nil && n<<shift>>shift != n {
			err = strconv.ErrRange
		}
		return n << shift, err
	}
	if i := strings.IndexByte("BKMGTPE", s[len(s)-1]&^0x20); i >= 0 && !isDigit(s[len(s)-1]) {
		shift, s = 10*uint(i), s[:len(s)-1]
	}
	whole, fraction, _ := strings.Cut(s, ".")
	if whole == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	if shift == 0 && strings.Trim(fraction, "0") != "" {
		return 0, strconv.ErrSyntax
	}
	// Exact: the digits without the point, times 2^shift, over 10^len(fraction).
	n, _ := new(big.Int).SetString(whole+fraction, 10)
	n.Lsh(n, shift)
	n.Quo(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(fraction))), nil))
	if !n.IsUint64() {
		return 0, strconv.ErrRange
	}
	return n.Uint64(), nil
}
