package opts

import (
	"slices"
	"strings"
	"testing"
)

func TestParseSMP(t *testing.T) {
	for _, c := range []struct {
		in   string
		want SMP
		err  string
	}{
		{in: "", want: SMP{1, 1, 1, 1, 1}},
		{in: "2", want: SMP{2, 2, 1, 2, 1}},
		{in: "cpus=2,cpus=3", want: SMP{3, 3, 1, 3, 1}},
		{in: "2,sockets=2,cores=1,threads=1", want: SMP{2, 2, 2, 1, 1}},
		{in: "cores=2", want: SMP{2, 2, 1, 2, 1}},
		{in: "2,maxcpus=8,sockets=2", want: SMP{2, 8, 2, 4, 1}},
		{in: "cpus=2,maxcpus=4,sockets=1,cores=1", want: SMP{2, 4, 1, 1, 4}},
		{in: "4,dies=1", want: SMP{4, 4, 1, 4, 1}},
		{in: "0", err: "Invalid CPU topology: CPU topology parameters must be greater than zero"},
		{in: "2,maxcpus=0", err: "Invalid CPU topology: CPU topology parameters must be greater than zero"},
		{in: "3,sockets=2,cores=1", err: "Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (2) * cores (1) * threads (1) != maxcpus (3)"},
		{in: "4,maxcpus=2", err: "Invalid CPU topology: maxcpus must be equal to or greater than smp: sockets (1) * cores (2) * threads (1) == maxcpus (2) < smp_cpus (4)"},
		{in: "cpus=2,sockets=1,cores=1,threads=1", err: "Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (1) * cores (1) * threads (1) != maxcpus (2)"},
		{in: "2,sockets=2,cores=2", err: "Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (2) * cores (2) * threads (0) != maxcpus (2)"},
		{in: "0x2,cores=3", err: "Invalid CPU topology: product of the hierarchy must match maxcpus: sockets (0) * cores (3) * threads (1) != maxcpus (2)"},
		{in: "9999", err: "Invalid SMP CPUs 9999. The max CPUs supported by machine 'virt' is 512"},
		{in: "-1", err: "Invalid SMP CPUs -1. The max CPUs supported by machine 'virt' is 512"},
		{in: "sockets=65536,cores=65536,threads=65536", err: "Invalid SMP CPUs 4294967295. The max CPUs supported by machine 'virt' is 512"},
		{in: "abc", err: "Parameter 'smp.cpus' expects integer"},
		{in: "2.0", err: "Parameter 'smp.cpus' expects integer"},
		{in: "sockets=2,cores=", err: "Parameter 'smp.cores' expects integer"},
		{in: "2,nope=1", err: "Parameter 'smp.nope' is unexpected"},
		{in: "2,x", err: "Expected '=' after parameter 'x'"},
		{in: "2,=3", err: "Invalid parameter ''"},
		{in: "2,clusters=2", err: "clusters > 1 not supported by this machine's CPU topology"},
		{in: "2,cores.x=2", err: "Parameters 'smp.cores.*' are unexpected"},
	} {
		got, err := ParseSMP(c.in, "virt", 512)
		if text(err) != c.err || got != c.want {
			t.Errorf("%q: %+v, %q; want %+v, %q", c.in, got, text(err), c.want, c.err)
		}
	}
}

func TestParseMemory(t *testing.T) {
	const def = 128 << 20
	for _, c := range []struct {
		in   string
		want Memory
		err  string
	}{
		{in: "512", want: Memory{512 << 20, 512 << 20, 0}},
		{in: "size=1.5G", want: Memory{3 << 29, 3 << 29, 0}},
		{in: "0", want: Memory{def, def, 0}},
		{in: "0x10", want: Memory{16 << 20, 16 << 20, 0}},
		{in: "64k", want: Memory{64 << 10, 64 << 10, 0}},
		{in: "4096b", want: Memory{4096, 4096, 0}},
		{in: "128,slots=2,maxmem=1G", want: Memory{128 << 20, 1 << 30, 2}},
		{in: "128,maxmem=128M", want: Memory{128 << 20, 128 << 20, 0}},
		{in: "abc", err: "Parameter 'size' expects a non-negative number below 2^64" + sizeHint},
		{in: "1.5", err: "Parameter 'size' expects a non-negative number below 2^64" + sizeHint},
		{in: "99999999999999999999", err: "Value '99999999999999999999' is out of range for parameter 'size'"},
		{in: "18446744073709551615", err: "Value '18446744073709551615' is out of range for parameter 'size'"},
		{in: "12,slots=2", err: "slots specified but no max-size"},
		{in: "128,maxmem=64", err: "invalid value of maxmem: maximum memory size (0x40) must be at least the initial memory size (0x8000000)"},
		{in: "128,slots=2,maxmem=128M", err: "invalid value of maxmem: memory slots were specified but maximum memory size (0x8000000) is equal to the initial memory size (0x8000000)"},
		{in: "128,nope=2", err: "Invalid parameter 'nope'"},
		{in: "size=1M,slots=abc", err: "Parameter 'slots' expects a number"},
	} {
		got, err := ParseMemory(c.in, def)
		if text(err) != c.err || got != c.want {
			t.Errorf("%q: %+v, %q; want %+v, %q", c.in, got, text(err), c.want, c.err)
		}
	}
}

func TestParseDrive(t *testing.T) {
	d, err := ParseDrive("file=a.img,if=none,id=d0,format=raw,cache=none,readonly=on,index=3")
	if err != nil {
		t.Fatal(err)
	}
	if d.ID != "d0" || d.File != "a.img" || d.Interface != "none" || d.Index != 3 || d.Bus != -1 || !d.ReadOnly || d.Media != "disk" {
		t.Errorf("%+v", d)
	}
	want := `{"cache.direct": "on", "cache.no-flush": "off", "cache.writeback": "on", "driver": "raw", "read-only": "on"}`
	if got := sorted(d.Node); got != want {
		t.Errorf("node %s, want %s", got, want)
	}
	for in, want := range map[string]string{
		"foo":                            "Must specify either driver or file",
		"if=bar":                         "unsupported bus type 'bar'",
		"if=none,media=foo":              "'foo' invalid media",
		"if=none,readonly=foo":           "Parameter 'read-only' expects 'on' or 'off'",
		"if=none,id=1a":                  "Parameter 'id' expects an identifier" + idHint,
		"if=none,cache=foo,file=x":       "invalid cache option",
		"file=x,index=1,unit=3":          "index cannot be used with bus and unit",
		"file=x,werror=foo":              "'foo' invalid write error action",
		"file=x,rerror=enospc":           "'enospc' invalid read error action",
		"file=x,discard=foo":             "Invalid discard option",
		"file=x,aio=foo":                 "invalid aio option",
		"file=x,detect-zeroes=foo":       "invalid parameter value: foo",
		"file=x,index=a":                 "Parameter 'index' expects a number",
		"file=x,discard=%s,snapshot=mes": "Parameter 'snapshot' expects 'on' or 'off'",
	} {
		if _, err := ParseDrive(in); text(err) != want {
			t.Errorf("%q: %q, want %q", in, text(err), want)
		}
	}
}

func TestParseCommandLine(t *testing.T) {
	got, err := ParseCommandLine(strings.Fields("-M virt --smp 2 -S -device x,id=a -h disk.img --qmp unix:s"))
	want := []Flag{{"machine", "virt", "-M virt"}, {"smp", "2", "--smp 2"}, {"S", "", "-S"}, {"device", "x,id=a", "-device x,id=a"},
		{"help", "", "-h"}, {"", "disk.img", "disk.img"}, {"qmp", "unix:s", "--qmp unix:s"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	for in, want := range map[string]string{
		"-nosuch":       "-nosuch: invalid option",
		"--nosuch":      "--nosuch: invalid option",
		"---S":          "---S: invalid option",
		"-":             "-: invalid option",
		"-smp":          "-smp: requires an argument",
		"-S -device":    "-device: requires an argument",
		"-netdev user":  "-netdev: backplane does not have this option of QEMU's",
		"-device -kick": "",
	} {
		if _, err := ParseCommandLine(strings.Fields(in)); text(err) != want {
			t.Errorf("%q: %q, want %q", in, text(err), want)
		}
	}
	_, err = ParseSMP("abc", "virt", 1)
	if got := (Flag{Where: "-smp abc"}).Wrap(err); got.Error() != "-smp abc: Parameter 'smp.cpus' expects integer" {
		t.Errorf("wrapped: %v", got)
	}
	if err := (Flag{}).Wrap(nil); err != nil {
		t.Errorf("Wrap(nil) = %v", err)
	}
}
