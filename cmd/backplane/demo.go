package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/backplane-vm/backplane/internal/measure"
)

const demoSynopsis = "[--cycles N] [--harts N] [--json] [--keep DIR]"

const demoAbout = `Starts a machine in this process, connects to its QMP socket as any client
would, and plugs a disk into the running guest and out again, over and over.
Another disk stays in and is worked on all the while. Every time shown is the
client's clock: its requests, the replies and events as they came, and what
the guest says it did, when it did it.

Exit status: 0 if the guest confirmed every cycle and every checksum held, 1 if
not, 2 if the command line cannot be carried out.
`

// Limits of the demo.
const (
	demoHartsMax  = 8                // the guest's
	demoCyclesMax = 10000            // each takes some KiB until the end
	demoPatience  = 30 * time.Second // for one cycle, which takes milliseconds; a loaded CI machine under -race, a second
)

var errDemoPatience = errors.New("nothing for 30 seconds")

// demoOptions are what the demo is told.
type demoOptions struct {
	cycles int
	harts  int
	json   bool
	keep   string // where the disks and the log stay; "" for nowhere
	color  bool
	// before is called before each cycle with the path of the disk's image;
	// tests do harm there.
	before func(cycle int, image string) error
}

func runDemo(args []string, std stdio) int {
	var o demoOptions
	flags := newFlags("demo")
	demoFlags(flags, &o)
	if status, goOn := parse(flags, args, demoAbout, std); !goOn {
		return status
	}
	switch {
	case flags.NArg() != 0:
		return refuse(std, flags.Name(), fmt.Errorf("there is no use for '%s'", flags.Arg(0)))
	case o.cycles < 1 || o.cycles > demoCyclesMax:
		return refuse(std, flags.Name(), fmt.Errorf("--cycles is from 1 to %d", demoCyclesMax))
	case o.harts < 1 || o.harts > demoHartsMax:
		return refuse(std, flags.Name(), fmt.Errorf("--harts is from 1 to %d", demoHartsMax))
	}
	o.color = colorful(std.out)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return demo(ctx, o, std)
}

func demoFlags(flags *flag.FlagSet, o *demoOptions) {
	flags.IntVar(&o.cycles, "cycles", 12, "plug and unplug `N` times")
	flags.IntVar(&o.harts, "harts", 2, "give the guest `N` harts, at most 8")
	flags.BoolVar(&o.json, "json", false, "print one JSON document in place of the timeline")
	flags.StringVar(&o.keep, "keep", "", "leave the disks and the guest's log in `DIR`")
}

// demo runs the demo and prints what it was told to.
func demo(ctx context.Context, o demoOptions, std stdio) int {
	show := &demoText{w: std.out, paint: paint(o.color), progress: newProgress(std.err)}
	if o.json {
		show.w = io.Discard
	}
	report, err := demoRun(ctx, o, show)
	show.progress.clear()
	if err != nil {
		fmt.Fprintf(std.err, "backplane demo: %v\n", err)
		return statusFailed
	}
	if o.json {
		err = report.writeJSON(std.out)
	} else {
		show.summary(report)
		err = show.err
	}
	if err != nil {
		fmt.Fprintf(std.err, "backplane demo: %v\n", err)
		return statusFailed
	}
	if !report.ok() {
		return statusFailed
	}
	return statusOK
}

// demoRun makes the machine, runs the cycles and reports. The error is about
// what kept it from starting; what goes wrong later is in the report.
func demoRun(ctx context.Context, o demoOptions, show *demoText) (*demoReport, error) {
	m, err := startDemo(ctx, o)
	if err != nil {
		return nil, err
	}
	defer m.close()
	m.Watch = show.progress.waitFor
	r := &demoReport{options: o, bootTook: m.ready.Time - m.started, began: m.Clock()}
	show.begin(r)
	before := m.machine.Stats()
	m.machine.ResetStats()
	for i := 1; i <= o.cycles && r.stopped == nil; i++ {
		show.progress.cycle(i, o.cycles)
		if o.before != nil {
			if err := o.before(i, m.disk.Path); err != nil {
				return nil, err
			}
		}
		c, err := patiently(ctx, m.Subject, m.disk)
		if err != nil {
			r.stop(ctx, c, i, err)
			break
		}
		r.cycles = append(r.cycles, c)
		show.cycle(i, c)
	}
	r.took = m.Clock() - r.began
	r.stats = m.machine.Stats()
	r.stats.GracePeriods -= before.GracePeriods
	r.stats.Instructions -= before.Instructions
	m.finish(ctx, r)
	return r, nil
}

// patiently is a cycle that does not wait for ever.
func patiently(ctx context.Context, s measure.Subject, d measure.Disk) (*measure.Cycle, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, demoPatience, errDemoPatience)
	defer cancel()
	return s.Cycle(ctx, d)
}
