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

// Mapping is a line of info mem.
type Mapping struct {
	Virtual, Physical, Size uint64
	Rights                  string // "rwxugad", with '-' for what is not there
}

// PrintMappings writes what a CPU's page tables map; paged is false for one that
// translates nothing.
func PrintMappings(w io.Writer, list []Mapping, paged bool) {
	if !paged {
		fmt.Fprint(w, "No translation or protection\n")
		return
	}
	fmt.Fprint(w, "vaddr            paddr            size             attr\n"+
		"---------------- ---------------- ---------------- -------\n")
	for _, m := range list {
		fmt.Fprintf(w, "%016x %016x %016x %s\n", m.Virtual, m.Physical, m.Size, m.Rights)
	}
}
