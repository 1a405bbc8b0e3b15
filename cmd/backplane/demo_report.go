package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/backplane-vm/backplane"
	guest "github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/internal/measure"
)

// demoReport is what came of the demo. Times are nanoseconds.
type demoReport struct {
	options  demoOptions
	bootTook int64 // until the guest was up
	began    int64 // the clock at the first cycle
	took     int64 // all cycles
	cycles   []*measure.Cycle
	// stopped is why not all cycles were run; broken is then the last one.
	stopped error
	broken  *measure.Cycle

	stats         backplane.Stats
	guestFailures []guest.Line
	busyIO        guest.Line // what the guest did on the other disk
	disk, busy    guest.Report
	diskErr       error
	busyErr       error
}

func (r *demoReport) stop(ctx context.Context, c *measure.Cycle, number int, err error) {
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	r.broken, r.stopped = c, fmt.Errorf("cycle %d: %w", number, err)
}

// confirmed counts the cycles that the guest confirmed.
func (r *demoReport) confirmed() (n int) {
	for _, c := range r.cycles {
		if c.Confirmed() == nil {
			n++
		}
	}
	return n
}

// problems lists what was wrong.
func (r *demoReport) problems() (list []string) {
	say := func(format string, a ...any) { list = append(list, fmt.Sprintf(format, a...)) }
	for i, c := range r.cycles {
		if err := c.Confirmed(); err != nil {
			say("cycle %d: %v", i+1, err)
		}
	}
	if r.stopped != nil {
		say("%v", r.stopped)
	}
	for _, l := range r.guestFailures {
		say("the guest says: %v", l)
	}
	for _, d := range []struct {
		name   string
		report guest.Report
		err    error
	}{{"the disk", r.disk, r.diskErr}, {"the other disk", r.busy, r.busyErr}} {
		if d.err != nil {
			say("%s: %v", d.name, d.err)
		} else if !d.report.OK() {
			say("%s: %v", d.name, d.report)
		}
	}
	if r.stopped == nil && r.disk.Guest == 0 {
		say("the disk: nothing on it is by the guest")
	}
	return list
}

func (r *demoReport) ok() bool {
	return len(r.problems()) == 0 && r.confirmed() == r.options.cycles
}

// stat sums a phase up over all cycles.
func (r *demoReport) stat(p measure.Phase) measure.Stat {
	var samples []float64
	for _, c := range r.cycles {
		samples = append(samples, float64(p.Of(c)))
	}
	return measure.Summarise(samples)
}

func (r *demoReport) mips() float64 {
	if r.took == 0 {
		return 0
	}
	return float64(r.stats.Instructions) * 1e3 / float64(r.took)
}

// The JSON document: one object, all times integers in nanoseconds. Members
// are added over time, never renamed.
type demoDocument struct {
	OK        bool              `json:"ok"`
	Version   string            `json:"version"`
	Harts     int               `json:"harts"`
	Boot      int64             `json:"boot-ns"`
	Took      int64             `json:"cycles-ns"`
	Asked     int               `json:"cycles-asked"`
	Confirmed int               `json:"cycles-confirmed"`
	Problems  []string          `json:"problems"`
	Cycles    []demoCycleRecord `json:"cycles"`
	Phases    []demoPhaseRecord `json:"phases"`
	Disk      demoDiskRecord    `json:"disk"`
	Busy      demoDiskRecord    `json:"busy-disk"`
	Machine   demoMachineRecord `json:"machine"`
}

type demoCycleRecord struct {
	Cycle     int              `json:"cycle"`
	Confirmed bool             `json:"confirmed"`
	Phases    map[string]int64 `json:"phases-ns"`
	Refused   int              `json:"unplug-refused"`
	FirstRead demoLineRecord   `json:"first-read"`
	Verified  demoLineRecord   `json:"write-verify"`
	Steps     []demoStepRecord `json:"steps"`
}

type demoLineRecord map[string]string

type demoStepRecord struct {
	At   int64  `json:"at-ns"` // since the cycle began
	Who  string `json:"who"`
	What string `json:"what"`
}

type demoPhaseRecord struct {
	Name   string `json:"name"`
	About  string `json:"about"`
	Median int64  `json:"median-ns"`
	Min    int64  `json:"min-ns"`
	Max    int64  `json:"max-ns"`
}

type demoDiskRecord struct {
	Sectors uint64         `json:"sectors"`
	Host    uint64         `json:"by-host"`
	Guest   uint64         `json:"by-guest"`
	Bad     uint64         `json:"bad"`
	IO      demoLineRecord `json:"io,omitempty"`
}

type demoMachineRecord struct {
	BQLLongestHold int64   `json:"bql-longest-hold-ns"`
	BQLHolder      string  `json:"bql-longest-hold-by"`
	BQLAcquired    uint64  `json:"bql-acquired"`
	BQLContended   uint64  `json:"bql-contended"`
	BQLLongestWait int64   `json:"bql-longest-wait-ns"`
	GracePeriods   uint64  `json:"grace-periods"`
	Instructions   uint64  `json:"instructions"`
	MIPS           float64 `json:"mips"`
}

func (r *demoReport) writeJSON(w io.Writer) error {
	doc := demoDocument{
		OK: r.ok(), Version: backplane.Version, Harts: r.options.harts, Boot: r.bootTook, Took: r.took,
		Asked: r.options.cycles, Confirmed: r.confirmed(), Problems: append([]string{}, r.problems()...),
		Cycles: []demoCycleRecord{},
		Disk:   diskRecord(r.disk, guest.Line{}), Busy: diskRecord(r.busy, r.busyIO),
		Machine: demoMachineRecord{
			r.stats.BQLLongestHold, r.stats.BQLHolder, r.stats.BQLAcquired, r.stats.BQLContended,
			r.stats.BQLLongestWait, r.stats.GracePeriods, r.stats.Instructions, r.mips(),
		},
	}
	for i, c := range r.cycles {
		doc.Cycles = append(doc.Cycles, cycleRecord(i+1, c))
	}
	for _, p := range measure.Phases() {
		s := r.stat(p)
		doc.Phases = append(doc.Phases, demoPhaseRecord{p.Name, p.About, int64(s.Median), int64(s.Min), int64(s.Max)})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

func cycleRecord(number int, c *measure.Cycle) demoCycleRecord {
	record := demoCycleRecord{
		Cycle: number, Confirmed: c.Confirmed() == nil, Phases: map[string]int64{}, Refused: c.Unplug.Refused,
		FirstRead: lineRecord(c.Read.Line), Verified: lineRecord(c.Verified.Line),
	}
	for _, p := range measure.Phases() {
		record.Phases[p.Name] = p.Of(c)
	}
	for _, s := range demoSteps(c) {
		record.Steps = append(record.Steps, demoStepRecord{s.at - c.AddNode.Asked, s.who.String(), s.what})
	}
	return record
}

func lineRecord(l guest.Line) demoLineRecord {
	if len(l.Fields) == 0 {
		return nil
	}
	record := demoLineRecord{}
	for _, f := range l.Fields {
		record[f.Key] = f.Value
	}
	return record
}

func diskRecord(r guest.Report, io guest.Line) demoDiskRecord {
	return demoDiskRecord{r.Sectors, r.Host, r.Guest, r.Bad, lineRecord(io)}
}
