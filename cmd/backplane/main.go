// Command backplane is the machine and its tools in one binary.
//
// When the first argument begins with '-' the arguments are QEMU's and a
// machine runs (vm.go). Otherwise the first argument names a sub-command of
// the table below: clients for the monitors, and what else there is.
//
// Everything but main gets its streams as parameters and returns its exit
// status, so that tests run what a user runs. Goroutines are started by the
// interactive clients only, for the keyboard and for events; each says where.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// Exit statuses. A sub-command may have meanings of its own for 1, never for 2.
const (
	statusOK     = 0
	statusFailed = 1 // it was understood and it ran, and the answer is no
	statusUsage  = 2 // it was not understood, or there was nobody to ask
)

// stdio are the standard streams of a command.
type stdio struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// A command is a row of the table of sub-commands.
type command struct {
	name     string
	synopsis string // what may follow the name
	summary  string // one line for the table
	run      func(args []string, std stdio) int
}

// commands is the table, in the order in which help shows it.
func commands() []command {
	return []command{
		{"qmp", qmpSynopsis, "talk to a QMP monitor, of backplane or of QEMU", runQMP},
		{"hmp", hmpSynopsis, "talk to a human monitor (HMP)", runHMP},
		{"demo", demoSynopsis, "plug a disk into a running guest and out again, and show the timeline", runDemo},
		{"bench", benchSynopsis, "measure the machine, beside a real QEMU if there is one", runBench},
		{"explore", exploreSynopsis, "try the monitor's dispatch policies in all interleavings, and show what fails", runExplore},
		{"version", "", "print the version", runVersion},
		{"help", "[SUB-COMMAND]", "print this, or what a sub-command takes", runHelp},
	}
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// run is the whole program but for the process around it.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	std := stdio{stdin, stdout, stderr}
	if len(args) == 0 {
		usage(stderr)
		return statusUsage
	}
	if strings.HasPrefix(args[0], "-") {
		return runVM(args, std)
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(args[1:], std)
		}
	}
	fmt.Fprintf(stderr, "backplane: there is no sub-command '%s'; 'backplane help' lists them\n", args[0])
	return statusUsage
}

// usage prints the table.
func usage(w io.Writer) {
	fmt.Fprint(w, "usage: backplane -FLAG...              run a machine; the flags are QEMU's\n"+
		"       backplane SUB-COMMAND [ARG...]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, "\n'backplane SUB-COMMAND -h' says more.\n")
}

func runHelp(args []string, std stdio) int {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		usage(std.out)
		return statusOK
	}
	return run([]string{args[0], "-h"}, std.in, std.out, std.err)
}

// newFlags returns the flag set of a sub-command. It prints nothing by itself;
// parse does.
func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

// parse reads the flags in front of the other arguments. If it returns false
// the command ends with that status: help was asked for and given, or the
// flags were wrong and that was said.
func parse(flags *flag.FlagSet, args []string, about string, std stdio) (status int, goOn bool) {
	err := flags.Parse(args)
	switch {
	case err == nil:
		return statusOK, true
	case errors.Is(err, flag.ErrHelp):
		describe(flags, about, std.out)
		return statusOK, false
	}
	return refuse(std, flags.Name(), err), false
}

// describe prints what a sub-command takes.
func describe(flags *flag.FlagSet, about string, w io.Writer) {
	for _, c := range commands() {
		if c.name == flags.Name() {
			fmt.Fprintln(w, strings.TrimSpace("usage: backplane "+c.name+" "+c.synopsis))
		}
	}
	if about != "" {
		fmt.Fprintf(w, "\n%s", about)
	}
	any := false
	flags.VisitAll(func(*flag.Flag) { any = true })
	if any {
		fmt.Fprint(w, "\nFlags:\n")
		flags.SetOutput(w)
		flags.PrintDefaults()
		flags.SetOutput(io.Discard)
	}
}

// refuse says that a command line cannot be carried out as it stands.
func refuse(std stdio, name string, err error) int {
	fmt.Fprintf(std.err, "backplane %s: %v; see 'backplane %s -h'\n", name, err, name)
	return statusUsage
}
