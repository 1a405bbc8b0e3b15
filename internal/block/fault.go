package block

import (
	"errors"
	"syscall"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// OnError is what a failed request of a device leads to, in QEMU's words
// (BlockdevOnError).
type OnError string

// The policies.
const (
	Report OnError = "report" // the guest is told
	Ignore OnError = "ignore" // the guest is told that all is well
	Stop   OnError = "stop"   // the machine stops, and the request waits for it to go on
	ENOSPC OnError = "enospc" // Stop if the host has no space left, else Report
	Auto   OnError = "auto"   // what the -drive says, or the default
)

// Fault is a request of a device that failed.
type Fault struct {
	Path, Drive, Node string // any of them may be ""
	Write             bool
	Action            OnError // Report, Ignore or Stop
	// Stops says whether the device's policies may stop the machine; NoSpace is
	// told only then.
	Stops, NoSpace bool
	Reason         string
}

// OnFault has f called, under the BQL, when a request of a device fails. It
// must not poll. It is for use before the first request.
func (g *Graph) OnFault(f func(Fault)) { g.onFault = f }

// policies are what failed requests of a disk lead to, and what has become of
// it.
type policies struct {
	reads, writes OnError
	status        string // "" before the first error that stops the machine
}

// or fills in what is left open.
func (p policies) or(reads, writes OnError) policies {
	if p.reads == "" || p.reads == Auto {
		p.reads = reads
	}
	if p.writes == "" || p.writes == Auto {
		p.writes = writes
	}
	return p
}

// stops reports whether an error may stop the machine.
func (p policies) stops() bool { return p.reads == Stop || p.writes == Stop || p.writes == ENOSPC }

// action is what an error leads to.
func (p policies) action(write bool, errno syscall.Errno) OnError {
	policy := p.reads
	if write {
		policy = p.writes
	}
	switch {
	case policy == ENOSPC && errno == syscall.ENOSPC:
		return Stop
	case policy == ENOSPC:
		return Report
	}
	return policy
}

// SetErrorPolicies says what failed requests of the device lead to. What is
// left open its drive says.
func (b *Backend) SetErrorPolicies(reads, writes string) {
	p := policies{reads: OnError(reads), writes: OnError(writes)}
	if b.drive != nil {
		p = p.or(b.drive.OnReadError, b.drive.OnWriteError)
	}
	b.policies = p.or(Report, ENOSPC)
}

// IOStatus returns "ok", or how the first request since the machine was started
// failed that stopped it: "failed" or "nospace". It is "" if none of the
// device's policies stops it.
func (b *Backend) IOStatus() string {
	switch {
	case !b.policies.stops():
		return ""
	case b.policies.status == "":
		return "ok"
	}
	return b.policies.status
}

// Failed tells of a request that failed. Unless it is to be ignored or tried
// again, its error is to be reported. The machine's being stopped comes later; a
// device that is to try again hears of the machine's going on by its method
// Retry.
func (b *Backend) Failed(write bool, err error) (ignore, again bool) {
	errno := syscall.EIO
	errors.As(err, &errno)
	action := b.policies.action(write, errno)
	if action == Stop && b.policies.status == "" {
		b.policies.status = "failed"
		if errno == syscall.ENOSPC {
			b.policies.status = "nospace"
		}
	}
	node := ""
	if n := b.Node(); n != nil {
		node = n.Name()
	}
	if f := b.graph.onFault; f != nil {
		f(Fault{
			Path: b.path, Drive: b.Name(), Node: node, Write: write, Action: action,
			Stops: b.policies.stops(), NoSpace: errno == syscall.ENOSPC, Reason: qerr.Strerror(errno),
		})
	}
	return action == Ignore, action == Stop
}

// Retry has devices try again what failed: the machine goes on.
func (g *Graph) Retry() {
	for _, b := range g.Backends() {
		b.policies.status = ""
		if d, ok := b.device.(interface{ Retry() }); ok {
			d.Retry()
		}
	}
}
