package opts

import (
	"fmt"
	"math"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// SMP is a CPU topology, complete and consistent: CPUs of MaxCPUs are there at
// the start, and MaxCPUs is Sockets times Cores times Threads.
type SMP struct {
	CPUs, MaxCPUs           int
	Sockets, Cores, Threads int
}

// ParseSMP reads the value of -smp for a machine called machine with at most
// limit CPUs. What is left out is worked out as QEMU does since 6.2: cores
// before sockets before threads.
func ParseSMP(text, machine string, limit int) (SMP, error) {
	d, _, err := ParseKeyval(text, "cpus")
	if err != nil {
		return SMP{}, err
	}
	var cpus, maxCPUs, sockets, cores, threads uint32
	fields := map[string]*uint32{"cpus": &cpus, "maxcpus": &maxCPUs, "sockets": &sockets, "cores": &cores, "threads": &threads}
	for name, v := range d.All() {
		n, err := smpNumber(name, v)
		if err != nil {
			return SMP{}, err
		}
		switch field := fields[name]; {
		case field != nil && n == 0:
			return SMP{}, qerr.New("Invalid CPU topology: CPU topology parameters must be greater than zero")
		case field != nil && (n < 0 || n > math.MaxInt32):
			return SMP{}, tooMany(n, machine, limit)
		case field != nil:
			*field = uint32(n)
		case n > 1:
			return SMP{}, qerr.New("%s > 1 not supported by this machine's CPU topology", name)
		case n <= 0:
			return SMP{}, qerr.New("Invalid CPU topology: CPU topology parameters must be greater than zero")
		}
	}
	return complete(cpus, maxCPUs, sockets, cores, threads, machine, limit)
}

// otherLevels are the levels of a topology that other machines have.
var otherLevels = map[string]bool{"drawers": true, "books": true, "dies": true, "clusters": true, "modules": true}

func smpNumber(name string, v any) (int64, error) {
	switch name {
	case "cpus", "maxcpus", "sockets", "cores", "threads":
	default:
		if !otherLevels[name] {
			if _, nested := v.(string); !nested {
				return 0, qerr.New("Parameters 'smp.%s.*' are unexpected", name)
			}
			return 0, qerr.New("Parameter 'smp.%s' is unexpected", name)
		}
	}
	text, ok := v.(string)
	if !ok {
		return 0, qerr.New("Parameters 'smp.%s.*' are unexpected", name)
	}
	n, err := ParseNumber(name, text)
	if err != nil {
		return 0, qerr.New("Parameter 'smp.%s' expects integer", name)
	}
	return int64(n), nil
}

// complete works out what is zero and checks the whole.
func complete(cpus, maxCPUs, sockets, cores, threads uint32, machine string, limit int) (SMP, error) {
	most := max(maxCPUs, cpus)
	if maxCPUs > 0 {
		most = maxCPUs
	}
	switch {
	case cpus == 0 && maxCPUs == 0:
		sockets, cores, threads = max(sockets, 1), max(cores, 1), max(threads, 1)
	case cores == 0:
		sockets, threads = max(sockets, 1), max(threads, 1)
		cores = most / product(sockets, threads)
	case sockets == 0:
		threads = max(threads, 1)
		sockets = most / product(cores, threads)
	case threads == 0:
		threads = most / product(sockets, cores)
	}
	total := product(sockets, cores, threads)
	if most == 0 {
		most = total
	}
	if cpus == 0 {
		cpus = most
	}
	shape := fmt.Sprintf("sockets (%d) * cores (%d) * threads (%d)", sockets, cores, threads)
	switch {
	case total != most:
		return SMP{}, qerr.New("Invalid CPU topology: product of the hierarchy must match maxcpus: %s != maxcpus (%d)", shape, most)
	case most < cpus:
		return SMP{}, qerr.New("Invalid CPU topology: maxcpus must be equal to or greater than smp: %s == maxcpus (%d) < smp_cpus (%d)", shape, most, cpus)
	case most > uint32(limit):
		return SMP{}, tooMany(int64(most), machine, limit)
	}
	return SMP{int(cpus), int(most), int(sockets), int(cores), int(threads)}, nil
}

// product multiplies and stays at the largest number instead of overflowing.
func product(factors ...uint32) uint32 {
	n := uint64(1)
	for _, f := range factors {
		n = min(n*uint64(f), math.MaxUint32)
	}
	return uint32(n)
}

func tooMany(n int64, machine string, limit int) *qerr.Error {
	return qerr.New("Invalid SMP CPUs %d. The max CPUs supported by machine '%s' is %d", n, machine, limit)
}
