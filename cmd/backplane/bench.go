package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	guest "github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/internal/measure"
)

const benchSynopsis = "[--runs N] [--json] [--qemu PROGRAM] [NAME...]"

// benchAbout describes the sub-command; the measurements follow.
func benchAbout() string {
	var b strings.Builder
	b.WriteString(`Measures this machine and, if it is there, a real QEMU beside it: the same
flags, the same guest, processes of their own, in turns. A figure is the median
of all samples of all runs; the last column is how many times better ours is.

Measurements; without NAME all of them are made:

`)
	for _, m := range measure.Suite() {
		fmt.Fprintf(&b, "  %-17s %s\n", m.Name, m.About)
	}
	b.WriteString("\nExit status: 0, 1 if a machine failed, 2 if the command line cannot be carried\nout.\n")
	return b.String()
}

// qemuName is the QEMU that is looked for.
const qemuName = "qemu-system-riscv64"

// Limits of the benchmark.
const (
	benchRunsMax  = 1000
	benchPatience = 5 * time.Minute // for one run of one measurement, which takes a second or a few
)

var errBenchPatience = errors.New("nothing for five minutes")

// benchOptions are what the benchmark is told.
type benchOptions struct {
	runs int
	json bool
	qemu string // "" for no QEMU
	// program is the binary that is measured: this one, except in tests.
	program  string
	measured []measure.Measurement
	color    bool
}

func runBench(args []string, std stdio) int {
	var o benchOptions
	flags := newFlags("bench")
	benchFlags(flags, &o)
	if status, goOn := parse(flags, args, benchAbout(), std); !goOn {
		return status
	}
	if o.runs < 1 || o.runs > benchRunsMax {
		return refuse(std, flags.Name(), fmt.Errorf("--runs is from 1 to %d", benchRunsMax))
	}
	if err := o.find(flags); err != nil {
		return refuse(std, flags.Name(), err)
	}
	o.color = colorful(std.out)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return bench(ctx, o, std)
}

func benchFlags(flags *flag.FlagSet, o *benchOptions) {
	flags.IntVar(&o.runs, "runs", 3, "run each measurement `N` times on each side")
	flags.BoolVar(&o.json, "json", false, "print one JSON document in place of the table")
	flags.StringVar(&o.qemu, "qemu", qemuName, "compare with this `PROGRAM`; \"none\" for nothing")
}

// find finds the programs and the measurements that are named.
func (o *benchOptions) find(flags *flag.FlagSet) (err error) {
	if o.program, err = os.Executable(); err != nil {
		return err
	}
	if o.qemu == "none" {
		o.qemu = ""
	} else if path, err := exec.LookPath(o.qemu); err == nil {
		o.qemu = path
	} else if o.qemu != qemuName {
		return err
	} else {
		o.qemu = ""
	}
	all := measure.Suite()
	if flags.NArg() == 0 {
		o.measured = all
	}
	for _, name := range flags.Args() {
		i := slices.IndexFunc(all, func(m measure.Measurement) bool { return m.Name == name })
		if i < 0 {
			return fmt.Errorf("there is no measurement '%s'", name)
		}
		o.measured = append(o.measured, all[i])
	}
	return nil
}

// bench makes the measurements and prints them as they are done.
func bench(ctx context.Context, o benchOptions, std stdio) int {
	r, err := benchRun(ctx, &o, std)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintf(std.err, "backplane bench: %v\n", err)
		return statusFailed
	}
	if o.json {
		if err := r.writeJSON(std.out); err != nil {
			fmt.Fprintf(std.err, "backplane bench: %v\n", err)
			return statusFailed
		}
	}
	return statusOK
}

func benchRun(ctx context.Context, o *benchOptions, std stdio) (*benchReport, error) {
	dir, err := os.MkdirTemp("", "backplane-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	sides, err := o.sides(ctx, dir)
	if err != nil {
		return nil, err
	}
	show := &benchText{w: std.out, paint: paint(o.color), progress: newProgress(std.err), silent: o.json}
	defer show.progress.clear()
	r := &benchReport{runs: o.runs, sides: sides, processors: runtime.NumCPU()}
	show.begin(r)
	for _, m := range o.measured {
		rows, err := benchOne(ctx, m, r, show.progress)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
		r.rows = append(r.rows, rows...)
		show.rows(rows)
	}
	return r, show.err
}

// benchOne makes one measurement, the sides taking turns.
func benchOne(ctx context.Context, m measure.Measurement, r *benchReport, p *progress) ([]benchRow, error) {
	samples := make([][][]float64, len(r.sides)) // by side and row
	for i := range samples {
		samples[i] = make([][]float64, len(m.Rows))
	}
	for run := range r.runs {
		for i, side := range r.sides {
			p.label = fmt.Sprintf("run %d of %d", run+1, r.runs)
			p.waitFor(m.Name + " of " + side.Name)
			got, err := benchRound(ctx, m, side)
			if err != nil {
				return nil, err
			}
			for j := range m.Rows {
				samples[i][j] = append(samples[i][j], got[j]...)
			}
		}
	}
	var rows []benchRow
	for j, row := range m.Rows {
		b := benchRow{measurement: m.Name, Row: row}
		for i := range r.sides {
			b.stats = append(b.stats, measure.Summarise(samples[i][j]))
		}
		rows = append(rows, b)
	}
	return rows, nil
}

func benchRound(ctx context.Context, m measure.Measurement, side *measure.Emulator) ([][]float64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, benchPatience, errBenchPatience)
	defer cancel()
	return m.Round(ctx, side)
}

// sides returns what is compared, ours first.
func (o *benchOptions) sides(ctx context.Context, dir string) ([]*measure.Emulator, error) {
	epoch := time.Now()
	clock := func() int64 { return int64(time.Since(epoch)) }
	list := []*measure.Emulator{{
		Name: "backplane " + productVersion, Program: o.program, Guest: []string{"-kernel", "builtin:demo"}, Dir: dir, Clock: clock, Patient: true,
	}}
	if o.qemu == "" {
		return list, nil
	}
	kernel := filepath.Join(dir, "demo.elf")
	if err := os.WriteFile(kernel, guest.ELF(), 0o600); err != nil {
		return nil, err
	}
	return append(list, &measure.Emulator{
		Name: qemuVersion(ctx, o.qemu), Program: o.qemu, Guest: []string{"-bios", "none", "-kernel", kernel}, Dir: dir, Clock: clock,
	}), nil
}

// qemuVersion is what a QEMU calls itself, briefly.
func qemuVersion(ctx context.Context, program string) string {
	out, _ := exec.CommandContext(ctx, program, "-version").Output()
	if _, rest, ok := strings.Cut(string(out), " version "); ok {
		if words := strings.Fields(rest); len(words) > 0 {
			return "QEMU " + words[0]
		}
	}
	return filepath.Base(program)
}
