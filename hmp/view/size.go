package view

import (
	"fmt"
	"math"
)

// Size writes a number of bytes with three digits and a binary unit
// ("512 B", "1.5 KiB", "16 EiB"). A unit begins at 1000 of the one below, so
// that three digits suffice.
func Size(bytes uint64) string {
	const units = " KMGTPE"
	_, exp := math.Frexp(float64(bytes) / (1000.0 / 1024.0))
	unit := max(exp-1, 0) / 10
	scaled := fmt.Sprintf("%.3g", math.Ldexp(float64(bytes), -10*unit))
	if unit == 0 {
		return scaled + " B"
	}
	return scaled + " " + units[unit:unit+1] + "iB"
}
