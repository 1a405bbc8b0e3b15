package view

import (
	"fmt"
	"io"
)

// Version is what info version prints.
type Version struct {
	Major, Minor, Micro int
	// Package is text of the packager's, put right behind the number.
	Package string
}

// Print writes the version.
func (v Version) Print(w io.Writer) {
	fmt.Fprintf(w, "%d.%d.%d%s\n", v.Major, v.Minor, v.Micro, v.Package)
}

// Status is what info status prints.
type Status struct {
	Running bool
	// State is the run state's QAPI name ("prelaunch"). It is shown unless
	// the machine runs, or is merely "paused".
	State string
}

// Print writes the status.
func (s Status) Print(w io.Writer) {
	switch {
	case s.Running:
		fmt.Fprint(w, "VM status: running\n")
	case s.State == "paused":
		fmt.Fprint(w, "VM status: paused\n")
	default:
		fmt.Fprintf(w, "VM status: paused (%s)\n", s.State)
	}
}

// PrintName writes a machine's name; no name is no line.
func PrintName(w io.Writer, name string) {
	if name != "" {
		fmt.Fprintf(w, "%s\n", name)
	}
}

// PrintUUID writes a machine's UUID in its usual form. A machine without one
// has 16 zero bytes.
func PrintUUID(w io.Writer, uuid [16]byte) {
	fmt.Fprintf(w, "%x-%x-%x-%x-%x\n", uuid[:4], uuid[4:6], uuid[6:8], uuid[8:10], uuid[10:])
}

// CPU is a line of info cpus.
type CPU struct {
	Index    int
	ThreadID int
}

// PrintCPUs writes the CPUs; the one with index current is marked.
func PrintCPUs(w io.Writer, cpus []CPU, current int) {
	for _, c := range cpus {
		mark := ' '
		if c.Index == current {
			mark = '*'
		}
		fmt.Fprintf(w, "%c CPU #%d: thread_id=%d\n", mark, c.Index, c.ThreadID)
	}
}

// Chardev is a line of info chardev.
type Chardev struct {
	Label string
	// Filename describes the backend ("stdio", "unix:/path,server=on").
	Filename string
}

// PrintChardevs writes the character devices.
func PrintChardevs(w io.Writer, devs []Chardev) {
	for _, d := range devs {
		fmt.Fprintf(w, "%s: filename=%s\n", d.Label, d.Filename)
	}
}
