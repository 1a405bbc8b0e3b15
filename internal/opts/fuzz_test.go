package opts

import (
	"strings"
	"testing"
)

var seeds = []string{"", "virtio-blk-pci,drive=d0,id=x", "a=1,,2,nob,c", "help", "driver=raw,file.driver=file,file.filename=a,,b",
	"a.0=x,a.1.b=y", "__org.x_a=b", "128,slots=2,maxmem=1G", "2,sockets=2,cores=1", "file=x,if=none,cache=none,readonly=on", `{"a": 1}`}

// FuzzParseOpts: what is read can be written again and reads the same.
func FuzzParseOpts(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, "driver")
	}
	f.Fuzz(func(t *testing.T, in, implied string) {
		if strings.ContainsAny(implied, "=,") || implied == "id" {
			return
		}
		o, err := ParseOpts(in, implied)
		if err != nil {
			return
		}
		var b strings.Builder
		for name, value := range o.All() {
			b.WriteString(name + "=" + strings.ReplaceAll(value, ",", ",,") + ",")
		}
		if o.ID != "" {
			b.WriteString("id=" + o.ID)
		}
		again, err := ParseOpts(b.String(), "")
		if err != nil {
			t.Fatalf("%q became %q: %v", in, b.String(), err)
		}
		if sorted(o.Dict()) != sorted(again.Dict()) {
			t.Fatalf("%q became %q: %s then %s", in, b.String(), sorted(o.Dict()), sorted(again.Dict()))
		}
	})
}

// FuzzParseKeyval: reading never panics, and every key of the result is a name.
func FuzzParseKeyval(f *testing.F) {
	for _, s := range seeds {
		f.Add(s, "driver")
	}
	f.Fuzz(func(t *testing.T, in, implied string) {
		if nameLength(implied) != len(implied) {
			return
		}
		d, _, err := ParseKeyval(in, implied)
		if err != nil {
			if d != nil {
				t.Fatalf("%q: a result beside error %v", in, err)
			}
			return
		}
		for _, k := range d.Keys() {
			if k == "" || nameLength(k) != len(k) {
				t.Fatalf("%q: key %q", in, k)
			}
		}
	})
}

// FuzzFlags: the readers of single flags never panic, and what they accept is
// consistent.
func FuzzFlags(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if s, err := ParseSMP(in, "virt", 512); err == nil {
			if s.CPUs < 1 || s.CPUs > s.MaxCPUs || s.MaxCPUs > 512 || s.Sockets*s.Cores*s.Threads != s.MaxCPUs {
				t.Fatalf("-smp %q: %+v", in, s)
			}
		}
		if m, err := ParseMemory(in, 1<<20); err == nil && (m.Size == 0 || m.MaxSize < m.Size) {
			t.Fatalf("-m %q: %+v", in, m)
		}
		if d, err := ParseDrive(in); err == nil && d.Node == nil {
			t.Fatalf("-drive %q: no node", in)
		}
		if _, err := ParseCommandLine(strings.Fields(in)); err != nil && err.Error() == "" {
			t.Fatal("an error without words")
		}
		if d, _, _, err := ParseObject(in, "driver"); err == nil && d == nil {
			t.Fatalf("%q: neither object nor error", in)
		}
	})
}
