package main

import (
	"errors"
	"fmt"
)

const (
	// productVersion is backplane's own version.
	productVersion = "0.1.0"
	// emulatedVersion is the version of QEMU whose behaviour backplane has and
	// whose number its monitors tell.
	emulatedVersion = "10.0.2"
)

func runVersion(args []string, std stdio) int {
	flags := newFlags("version")
	if status, goOn := parse(flags, args, "", std); !goOn {
		return status
	}
	if flags.NArg() != 0 {
		return refuse(std, flags.Name(), errors.New("it takes no arguments"))
	}
	fmt.Fprintf(std.out, "backplane %s, compatible with QEMU %s\n", productVersion, emulatedVersion)
	return statusOK
}
