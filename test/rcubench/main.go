// Command rcubench measures package rcu beside liburcu's memb flavour, which
// does the same with the same system call, in one run on one machine, and
// prints both and their ratio. It needs gcc and liburcu-dev; without them it
// says so and prints our figures alone.
package main

import (
	_ "embed" // the peer
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/backplane-vm/backplane/rcu"
)

const (
	sections = 50_000_000
	rounds   = 2000
)

func main() {
	theirs, err := liburcu()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rcubench: no peer:", err)
	}
	show(os.Stdout, ours(), theirs)
}

// ours returns our figures, in nanoseconds.
func ours() map[string]float64 {
	d := rcu.New(rcu.Options{})
	defer d.Close()
	f := map[string]float64{"read 1": read(d, 1), "read 2": read(d, 2)}
	defer d.Register("idle").Unregister()
	f["synchronize 1"] = median(d.Synchronize)
	f["call+drain 1"] = median(func() {
		d.Call(func() {})
		d.Drain(nil, nil)
	})
	return f
}

// read returns what a section costs each of n readers, the slowest counting.
func read(d *rcu.Domain, n int) float64 {
	var shared atomic.Pointer[int]
	var all sync.WaitGroup
	took := make([]time.Duration, n)
	for i := range n {
		all.Go(func() {
			r := d.Register("bench")
			defer r.Unregister()
			began := time.Now()
			for range sections {
				r.Lock()
				shared.Load()
				r.Unlock()
			}
			took[i] = time.Since(began)
		})
	}
	all.Wait()
	return float64(slices.Max(took)) / sections
}

func median(f func()) float64 {
	times := make([]time.Duration, rounds)
	for i := range times {
		began := time.Now()
		f()
		times[i] = time.Since(began)
	}
	slices.Sort(times)
	return float64(times[rounds/2])
}

//go:embed testdata/liburcu.c
var source string

// liburcu compiles the peer, runs it and returns its figures.
func liburcu() (map[string]float64, error) {
	dir, err := os.MkdirTemp("", "rcubench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "liburcu")
	gcc := exec.Command("gcc", "-O2", "-o", bin, "-xc", "-", "-lurcu-memb", "-pthread")
	gcc.Stdin = strings.NewReader(source)
	if out, err := gcc.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gcc (apt-get install gcc liburcu-dev): %w\n%s", err, out)
	}
	out, err := exec.Command(bin).Output()
	if err != nil {
		return nil, err
	}
	f := make(map[string]float64)
	for line := range strings.Lines(string(out)) {
		var name string
		var readers int
		var ns float64
		if _, err := fmt.Sscan(line, &name, &readers, &ns); err != nil {
			return nil, fmt.Errorf("%q: %w", line, err)
		}
		f[fmt.Sprintf("%s %d", name, readers)] = ns
	}
	return f, nil
}

func show(w io.Writer, ours, theirs map[string]float64) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "what, readers\tbackplane ns\tliburcu memb ns\tratio\t")
	for _, name := range []string{"read 1", "read 2", "synchronize 1", "call+drain 1"} {
		if their, ok := theirs[name]; ok {
			fmt.Fprintf(t, "%s\t%.2f\t%.2f\t%.2f\t\n", name, ours[name], their, ours[name]/their)
		} else {
			fmt.Fprintf(t, "%s\t%.2f\t-\t-\t\n", name, ours[name])
		}
	}
	t.Flush()
}
