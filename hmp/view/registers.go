package view

import (
	"fmt"
	"io"
)

// Register is a register by its name.
type Register struct {
	Name  string
	Value uint64
}

// PrintRegisters writes the registers of a CPU: control registers one a line,
// general ones four.
func PrintRegisters(w io.Writer, cpu int, control, general []Register) {
	fmt.Fprintf(w, "\nCPU#%d\n", cpu)
	for _, r := range control {
		fmt.Fprintf(w, " %-8s %016x\n", r.Name, r.Value)
	}
	for i, r := range general {
		fmt.Fprintf(w, " %-8s %016x", r.Name, r.Value)
		if i%4 == 3 {
			fmt.Fprint(w, "\n")
		}
	}
}
