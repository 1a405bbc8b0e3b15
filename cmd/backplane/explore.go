package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/backplane-vm/backplane/internal/machine/virt"
	dispatch "github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/qdev"
	"github.com/backplane-vm/backplane/internal/scenario"
)

const exploreSynopsis = "[--scenario A,B] [--policy nested,ours] [--runs N | --quick] [--json] [--html FILE] | --scenario A --policy P --seed SCHEDULE"

// exploreAbout describes the sub-command.
func exploreAbout() string {
	var b strings.Builder
	b.WriteString(`In which context should a monitor command run? This answers by trying: each
scenario is a program around the real monitor, device_add, RCU and big lock, on
threads whose every step is under control. It runs under each policy, in many
interleavings, until it fails or enough have been tried.

Policies:

  nested     QEMU up to 8.1: commands run wherever the main context is polled
  rfc        the series "qmp: make qmp_device_add() a coroutine"
  split      QEMU since 8.2: only coroutine commands in the main context
  iohandler  no command in the main context
  ours       what backplane does

Scenarios; docs/scenarios has a page for each:

`)
	for _, s := range scenario.All() {
		fmt.Fprintf(&b, "  %s  %s\n", s.Letter, s.Name)
	}
	b.WriteString(`
A failure has a schedule. --seed replays it and prints who did what, and with
--html draws it. "-" is the schedule without deviations; random:SEED:EVERY is a
random one that pre-empts about once in EVERY choices.

Exit status: 0 if every cell is as it should be, which for most policies means
that they fail; 1 if one is not, or a replayed schedule fails; 2 if the command
line cannot be carried out.
`)
	return b.String()
}

// How many interleavings are tried by default.
const (
	exploreRuns      = 100_000
	exploreQuickRuns = 2_000
	exploreRunsMax   = 1_000_000_000
	// exploreShare is how much fewer are tried of a cell that should be fine
	// but is not ours: that others' fail is what has to be shown.
	exploreShare = 20
)

// exploreGC lets the heap, which is small and all garbage at the end of each
// run, grow further than usual before it is collected.
const exploreGC = 800

// exploreOptions are what the exploration is told.
type exploreOptions struct {
	scenarios []*scenario.Scenario
	policies  []dispatch.Policy
	runs      int
	quick     bool
	seed      string // replay this instead
	random    uint64 // seed of the random part
	json      bool
	html      string
	workers   int
	setup     bool // print how the machine is built, too
	color     bool
	registry  *qdev.Registry
}

func runExplore(args []string, std stdio) int {
	var o exploreOptions
	var scenarios, policies string
	flags := newFlags("explore")
	exploreFlags(flags, &o)
	flags.StringVar(&scenarios, "scenario", "", "these scenarios, by `LETTER`, separated by commas; without it all")
	flags.StringVar(&policies, "policy", "", "under these policies, by `NAME`; without it under all")
	if status, goOn := parse(flags, args, exploreAbout(), std); !goOn {
		return status
	}
	if err := o.check(flags, scenarios, policies); err != nil {
		return refuse(std, flags.Name(), err)
	}
	var err error
	if o.registry, err = virt.NewRegistry(); err != nil {
		return refuse(std, flags.Name(), err)
	}
	o.color = colorful(std.out)
	defer debug.SetGCPercent(debug.SetGCPercent(exploreGC))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if o.seed != "" {
		return exploreReplay(o, std)
	}
	return explore(ctx, o, std)
}

func exploreFlags(flags *flag.FlagSet, o *exploreOptions) {
	flags.IntVar(&o.runs, "runs", exploreRuns, fmt.Sprintf("try `N` distinct interleavings of a cell; of one that should be fine and is not ours, one in %d of it", exploreShare))
	flags.BoolVar(&o.quick, "quick", false, fmt.Sprintf("the same as --runs %d", exploreQuickRuns))
	flags.StringVar(&o.seed, "seed", "", "replay one `SCHEDULE` of one scenario under one policy")
	flags.Uint64Var(&o.random, "random-seed", 0, "`NUMBER` that random interleavings begin with")
	flags.BoolVar(&o.json, "json", false, "print one JSON document in place of the table")
	flags.StringVar(&o.html, "html", "", "write a page with the table, and the failing schedules drawn, to `FILE`")
	flags.IntVar(&o.workers, "workers", runtime.NumCPU(), "explore `N` cells at a time")
	flags.BoolVar(&o.setup, "setup", false, "with --seed: print how the machine is built, too")
}

// check completes the options.
func (o *exploreOptions) check(flags *flag.FlagSet, scenarios, policies string) (err error) {
	if flags.NArg() > 0 {
		return fmt.Errorf("'%s' is too much", flags.Arg(0))
	}
	if o.scenarios, err = exploreScenarios(scenarios); err != nil {
		return err
	}
	if o.policies, err = explorePolicies(policies); err != nil {
		return err
	}
	if o.quick {
		o.runs = exploreQuickRuns
	}
	switch {
	case o.runs < 1 || o.runs > exploreRunsMax:
		return fmt.Errorf("--runs is from 1 to %d", exploreRunsMax)
	case o.workers < 1:
		return errors.New("--workers is at least 1")
	case o.seed != "" && (len(o.scenarios) != 1 || len(o.policies) != 1):
		return errors.New("--seed needs one --scenario and one --policy")
	case o.seed != "" && o.json:
		return errors.New("--seed prints a schedule, not JSON")
	}
	return nil
}

func exploreScenarios(letters string) ([]*scenario.Scenario, error) {
	if letters == "" {
		return scenario.All(), nil
	}
	var list []*scenario.Scenario
	for letter := range strings.SplitSeq(letters, ",") {
		s := scenario.Find(strings.ToUpper(letter))
		if s == nil {
			return nil, fmt.Errorf("there is no scenario '%s'", letter)
		}
		list = append(list, s)
	}
	return list, nil
}

func explorePolicies(names string) ([]dispatch.Policy, error) {
	if names == "" {
		return dispatch.Policies(), nil
	}
	var list []dispatch.Policy
	for name := range strings.SplitSeq(names, ",") {
		p, err := dispatch.ParsePolicy(name)
		if err != nil {
			return nil, fmt.Errorf("there is no policy '%s'", name)
		}
		list = append(list, p)
	}
	return list, nil
}
