package opts

import (
	"errors"
	"strconv"
	"strings"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
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

// ParseSize reads the value of a size called name, in bytes; see
// [qobject.ScanSize].
func ParseSize(name, value string) (uint64, error) { return parseSize(name, value, 0) }

// parseSize is ParseSize with the shift that a number without suffix gets.
func parseSize(name, value string, shift uint) (uint64, error) {
	n, err := qobject.ParseSize(value, shift)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, qerr.New("Value '%s' is out of range for parameter '%s'", value, name)
	case err != nil:
		return 0, qerr.New("Parameter '%s' expects a non-negative number below 2^64", name).
			WithHint("Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.\n")
	}
	return n, nil
}
