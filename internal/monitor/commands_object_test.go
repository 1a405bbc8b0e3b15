package monitor_test

import (
	"bytes"
	"context"
	"debug/elf"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// A conversation about objects, dumps and what ends the machine; the words are
// QEMU's.
func TestObjectsAndDumps(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := start(t, 0).qmp(ctx)
	dir := t.TempDir()
	for _, x := range []struct{ command, args, answer, fail string }{
		{"object-add", `{"qom-type":"iothread","id":"io1"}`, `{}`, ""},
		{"object-add", `{"qom-type":"iothread","id":"io1"}`, "", "attempt to add duplicate property 'io1' to object (type 'container')"},
		{"object-add", `{"qom-type":"iothread","id":"1a"}`, "", "Parameter 'id' expects an identifier"},
		{"object-add", `{"qom-type":"can-bus","id":"t"}`, "", "Parameter 'qom-type' does not accept value 'can-bus'"},
		{"object-add", `{"qom-type":"memory-backend-ram","id":"m0","size":0}`, "", "property 'size' of memory-backend-ram doesn't take value '0'"},
		{"object-add", `{"qom-type":"memory-backend-ram","id":"m0","size":4096,"prealloc-context":"x"}`, "", "Device 'x' not found"},
		{"object-add", `{"qom-type":"memory-backend-file","id":"m0","size":4096,"mem-path":"/dev/null","pmem":true}`, "", "Parameter 'pmem' is not supported by this build"},
		{"object-add", `{"qom-type":"memory-backend-memfd","id":"m0","size":4096,"hugetlbsize":0}`, "", "Property 'memory-backend-memfd.hugetlbsize' doesn't take value '0'"},
		{"object-add", `{"qom-type":"memory-backend-file","id":"f","size":4096,"mem-path":"` + dir + `/mem","share":true}`, `{}`, ""},
		{"object-add", `{"qom-type":"memory-backend-memfd","id":"m1","size":4096,"merge":false}`, `{}`, ""},
		{"qom-get", `{"path":"/objects/m1","property":"share"}`, `true`, ""},
		{"object-del", `{"id":"f"}`, `{}`, ""},
		{"object-del", `{"id":"m1"}`, `{}`, ""},
		{"object-add", `{"qom-type":"memory-backend-ram","id":"m0","size":4096,"dump":false,"prealloc":true}`, `{}`, ""},
		{"object-add", `{"qom-type":"rng-random","id":"r","opened":true}`, "", "Property 'rng-random.opened' is not writable"},
		{"object-add", `{"qom-type":"rng-builtin","id":"r"}`, `{}`, ""},
		{"object-add", `{"qom-type":"secret","id":"s","data":"x"}`, `{}`, ""},
		{"qom-get", `{"path":"/objects/m0","property":"size"}`, `4096`, ""},
		{"qom-set", `{"path":"/objects/m0","property":"size","value":1}`, "", "cannot change property size of memory-backend-ram "},
		{"object-del", `{"id":"nope"}`, "", "object 'nope' not found"},
		{"object-del", `{"id":"io1"}`, `{}`, ""},
		{"query-iothreads", `{}`, `[]`, ""},
		{"query-dump", `{}`, `{"total": 0, "status": "none", "completed": 0}`, ""},
		{"dump-guest-memory", `{"paging":false,"protocol":"nope"}`, "", "parameter 'protocol' must start with 'file:' or 'fd:'"},
		{"dump-guest-memory", `{"paging":false,"protocol":"file:` + dir + `/no/c"}`, "", "Could not create '" + dir + "/no/c': No such file or directory"},
		{"dump-guest-memory", `{"paging":false,"protocol":"file:/dev/fdset/9"}`, "", "Failed to find fdset /dev/fdset/9"},
		{"dump-guest-memory", `{"paging":false,"protocol":"file:` + dir + `/c","begin":0,"length":0}`, "", "parameter 'length' expects a non-zero size"},
		{"query-dump", `{}`, `{"total": 0, "status": "failed", "completed": 0}`, ""},
		{"dump-guest-memory", `{"paging":false,"protocol":"fd:x"}`, "", "File descriptor named 'x' has not been found"},
		{"dump-guest-memory", `{"paging":false,"protocol":"file:` + dir + `/c","begin":1}`, "", "Parameter 'length' is missing"},
		{"dump-guest-memory", `{"paging":false,"protocol":"file:` + dir + `/c","begin":1,"length":1}`, "", "dump: no guest memory to dump"},
		{"dump-guest-memory", `{"paging":false,"protocol":"file:` + dir + `/d","format":"kdump-lzo"}`, "", "kdump-lzo is not available now"},
		{"dump-guest-memory", `{"paging":false,"protocol":"file:` + dir + `/core"}`, `{}`, ""},
		{"pmemsave", `{"val":4096,"size":8,"filename":"` + dir + `/rom"}`, `{}`, ""},
		{"memsave", `{"val":4096,"size":8,"filename":"` + dir + `/rom2"}`, `{}`, ""},
		{"memsave", `{"val":0,"size":10,"filename":"` + dir + `/no"}`, "", "Invalid addr 0x0000000000000000/size 10 specified"},
		{"set-action", `{"reboot":"shutdown","shutdown":"pause"}`, `{}`, ""},
		{"cont", `{}`, `{}`, ""},
		{"system_reset", `{}`, `{}`, ""},
		{"query-status", `{}`, `{"status": "shutdown", "running": false}`, ""},
		{"cont", `{}`, "", "Resetting the Virtual Machine is required"},
		{"set-action", `{"reboot":"reset"}`, `{}`, ""},
		{"system_reset", `{}`, `{}`, ""},
		{"query-status", `{}`, `{"status": "prelaunch", "running": false}`, ""},
	} {
		answer, fail := ask(ctx, t, c, x.command, x.args)
		got := ""
		if fail == "" {
			got = qobject.Encode(answer)
		}
		if got != x.answer || fail != x.fail {
			t.Errorf("%s %s: %s %q, want %s %q", x.command, x.args, got, fail, x.answer, x.fail)
		}
	}
	checkCore(t, filepath.Join(dir, "core"))
	physical, err := os.ReadFile(filepath.Join(dir, "rom"))
	virtual, err2 := os.ReadFile(filepath.Join(dir, "rom2"))
	if err != nil || err2 != nil || len(physical) != 8 || !bytes.Equal(physical, virtual) {
		t.Errorf("% x, % x, %v, %v", physical, virtual, err, err2)
	}
}

// checkCore reads a core file as debuggers do.
func checkCore(t *testing.T, name string) {
	t.Helper()
	f, err := elf.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Type != elf.ET_CORE || f.Machine != elf.EM_RISCV || len(f.Progs) < 3 || f.Progs[0].Type != elf.PT_NOTE {
		t.Fatalf("%+v", f.FileHeader)
	}
	for _, p := range f.Progs[1:] {
		if p.Type != elf.PT_LOAD || p.Filesz != p.Memsz || p.Filesz == 0 {
			t.Errorf("%+v", p.ProgHeader)
		}
	}
	if notes := f.Progs[0]; notes.Filesz%(12+8+376) != 0 {
		t.Errorf("%d bytes of notes", notes.Filesz)
	}
}
