package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	dispatch "github.com/backplane-vm/backplane/internal/monitor"
	"github.com/backplane-vm/backplane/internal/scenario"
)

// exploreCell is a cell of the table and what came of it.
type exploreCell struct {
	scenario.Cell
	budget int
	took   time.Duration
}

// ok says whether the cell is as it should be.
func (c *exploreCell) ok() bool { return c.Verdict == c.Expected() }

// cells lists the cells of the table, scenario by scenario.
func (o *exploreOptions) cells() []*exploreCell {
	var list []*exploreCell
	for _, s := range o.scenarios {
		for _, p := range o.policies {
			c := &exploreCell{Cell: scenario.Cell{Scenario: s, Policy: p}, budget: o.runs}
			if p != dispatch.Ours && s.Expected(p) == scenario.Fine {
				c.budget = max(1, o.runs/exploreShare)
			}
			list = append(list, c)
		}
	}
	return list
}

// explore explores the cells, a few at a time, and prints what came of it.
func explore(ctx context.Context, o exploreOptions, std stdio) int {
	r := &exploreReport{options: o, cells: o.cells()}
	begin := time.Now()
	bar := newExploreBar(std.err, r.cells)
	o.exploreAll(ctx, r.cells, bar)
	bar.clear()
	r.took = time.Since(begin)
	if ctx.Err() != nil {
		fmt.Fprintf(std.err, "backplane explore: interrupted\n")
		return statusFailed
	}
	if err := r.write(std); err != nil {
		fmt.Fprintf(std.err, "backplane explore: %v\n", err)
		return statusFailed
	}
	if !r.ok() {
		return statusFailed
	}
	return statusOK
}

// exploreAll fills the cells in. Each worker is a goroutine; all have ended
// when it returns.
func (o *exploreOptions) exploreAll(ctx context.Context, cells []*exploreCell, bar *exploreBar) {
	queue := slices.Clone(cells) // those that take longest first
	slices.SortStableFunc(queue, func(a, b *exploreCell) int { return cmp.Compare(b.expense(), a.expense()) })
	work := make(chan *exploreCell, len(queue))
	for _, c := range queue {
		work <- c
	}
	close(work)
	var workers sync.WaitGroup
	for range min(o.workers, len(queue)) {
		workers.Go(func() {
			for c := range work {
				begin := time.Now()
				c.Cell = scenario.Explore(ctx, o.registry, c.Scenario, c.Policy, scenario.Budget{
					Runs: c.budget, Seed: o.random, Progress: func(tried int) { bar.tried(c, tried) },
				})
				c.took = time.Since(begin)
				bar.done(c)
			}
		})
	}
	workers.Wait()
}

// expense is how many runs the cell is going to take, about.
func (c *exploreCell) expense() int {
	if c.Expected() != scenario.Fine {
		return 0 // fails soon
	}
	return c.budget
}

// barWidth is that of the bar itself, and barEvery how often it is drawn at
// most.
const (
	barWidth = 30
	barEvery = 100 * time.Millisecond
)

// exploreBar is a line on a terminal that says how far the exploration is. On
// anything else it is silent. Any goroutine may use it.
type exploreBar struct {
	mu       sync.Mutex
	line     *progress
	all, of  int // interleavings
	now      map[*exploreCell]int
	finished int
	cells    int
	last     time.Time
}

func newExploreBar(w io.Writer, cells []*exploreCell) *exploreBar {
	b := &exploreBar{line: newProgress(w), now: make(map[*exploreCell]int), cells: len(cells)}
	for _, c := range cells {
		b.of += c.expense()
	}
	return b
}

// tried says how many interleavings of c there have been.
func (b *exploreBar) tried(c *exploreCell, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.expense() > 0 {
		b.now[c] = n
	}
	b.draw()
}

// done says that c is.
func (b *exploreBar) done(c *exploreCell) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.now, c)
	b.all += c.expense()
	b.finished++
	b.draw()
}

func (b *exploreBar) draw() {
	if b.line.w == nil || time.Since(b.last) < barEvery {
		return
	}
	b.last = time.Now()
	sum, letters := b.all, []string(nil)
	for c, n := range b.now {
		sum += n
		letters = append(letters, c.Scenario.Letter+" "+string(c.Policy))
	}
	slices.Sort(letters)
	full := min(barWidth, barWidth*sum/max(b.of, 1))
	bar := strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
	fmt.Fprintf(b.line.w, "%s%.79s", eraseLine, fmt.Sprintf("%s %3d%%  %d/%d cells  %s  %s", bar, 100*sum/max(b.of, 1),
		b.finished, b.cells, grouped(uint64(sum)), strings.Join(letters, ", ")))
	b.line.shown = true
}

func (b *exploreBar) clear() { b.line.clear() }
