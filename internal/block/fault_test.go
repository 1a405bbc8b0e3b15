package block_test

import (
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/backplane-vm/backplane/internal/block"
)

// again is a device that counts how often it is to try again.
type again struct{ times int }

func (a *again) Retry() { a.times++ }

func TestErrorPolicies(t *testing.T) {
	f := newFixture(t)
	var told []block.Fault
	f.g.OnFault(func(x block.Fault) { told = append(told, x) })
	drive := func(id, node string, writes block.OnError) *block.Backend {
		t.Helper()
		b, err := f.g.AddDrive(nil, block.Drive{ID: id, Medium: block.Options{Driver: "null-co", NodeName: node}, OnWriteError: writes})
		if err != nil {
			t.Fatal(err)
		}
		f.must(b.Occupy("/" + id))
		return b
	}
	b, stops := drive("d0", "n", ""), drive("d1", "n1", block.Stop)
	defer b.Close()
	defer stops.Close()
	full := &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	for _, c := range []struct {
		driveWrites   block.OnError
		reads, writes string
		write         bool
		err           error
		want          string // ignore, again, status, told action
	}{
		{"", "auto", "auto", false, syscall.EIO, "false false ok report"},
		{"", "auto", "auto", true, syscall.EIO, "false false ok report"},
		{"", "auto", "auto", true, full, "false true nospace stop"},
		{"", "auto", "auto", false, full, "false false ok report"},
		{"", "report", "report", true, full, "false false  report"},
		{"", "stop", "report", false, syscall.EIO, "false true failed stop"},
		{"", "ignore", "stop", false, syscall.EIO, "true false ok ignore"},
		{block.Stop, "auto", "auto", true, syscall.EIO, "false true failed stop"},
		{block.Stop, "auto", "ignore", true, syscall.EIO, "true false  ignore"},
	} {
		b := b
		if c.driveWrites == block.Stop {
			b = stops
		}
		b.SetErrorPolicies(c.reads, c.writes)
		ignore, retry := b.Failed(c.write, c.err)
		last := told[len(told)-1]
		if got := fmt.Sprint(ignore, retry, " ", b.IOStatus(), " ", last.Action); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if x := told[2]; x.Path != "/d0" || x.Drive != "d0" || x.Node != "n" || !x.Write || !x.Stops || !x.NoSpace || x.Reason != "No space left on device" {
		t.Errorf("%+v", x)
	}
	b.SetErrorPolicies("stop", "stop")
	b.Failed(false, syscall.EIO)
	dev := new(again)
	b.SetDevice(dev)
	f.g.Retry()
	if b.IOStatus() != "ok" || dev.times != 1 {
		t.Errorf("status %q, told %d times to try again", b.IOStatus(), dev.times)
	}
}
