package e2e

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/qapi/api"
)

// fdConn is a raw QMP client that sends descriptors with its lines.
type fdConn struct {
	*testing.T
	*lineConn
}

func dialFD(t *testing.T, socket string) *fdConn {
	t.Helper()
	c := &fdConn{t, dialLines(t, socket)}
	if _, err := c.read(); err != nil {
		t.Fatal(err)
	}
	c.ask("qmp_capabilities", "{}")
	return c
}

// send sends a line with files.
func (c *fdConn) send(line string, files ...*os.File) {
	c.Helper()
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	if _, _, err := c.lineConn.Conn.(*net.UnixConn).WriteMsgUnix([]byte(line), syscall.UnixRights(fds...), nil); err != nil {
		c.Fatal(err)
	}
}

// ask runs a command that brings files, and returns the reply without the line's
// end; events are passed over.
func (c *fdConn) ask(command, arguments string, files ...*os.File) string {
	c.Helper()
	c.send(fmt.Sprintf(`{"execute": %q, "arguments": %s}`+"\n", command, arguments), files...)
	for {
		line, err := c.read()
		if err != nil {
			c.Fatalf("%s: %v", command, err)
		}
		if !strings.Contains(line, `"event": `) {
			return line
		}
	}
}

// want asks and compares.
func (c *fdConn) want(want, command, arguments string, files ...*os.File) {
	c.Helper()
	if got := c.ask(command, arguments, files...); got != want {
		c.Errorf("%s %s: %s, want %s", command, arguments, got, want)
	}
}

const okReply = `{"return": {}}`

// newFile is an open file of some size.
func newFile(t *testing.T, path string, size int64) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// A disk whose file the machine could not open itself.
func TestDiskFromDescriptor(t *testing.T) {
	p := newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-kernel", "builtin:demo", "-serial", "file:DIR/log",
		"-device", "pcie-root-port,id=rp0,chassis=1", "-qmp", "unix:DIR/S,server=on,wait=off")
	p.start()
	p.until("the guest is ready", func() bool { return p.logged("ready") })
	c := dialFD(t, p.path("S"))
	f := newFile(t, p.path("disk"), 0)
	if err := errors.Join(demo.FormatDisk(f, 2048), os.Remove(f.Name())); err != nil { // nobody finds it by its name
		t.Fatal(err)
	}
	if got := c.ask("add-fd", `{"fdset-id": 1, "opaque": "a disk"}`, f); !strings.HasPrefix(got, `{"return": {"fd": `) || !strings.HasSuffix(got, `, "fdset-id": 1}}`) {
		t.Fatal(got)
	}
	c.want(`{"error": {"class": "GenericError", "desc": "Failed to find file descriptor with matching flags=0x0"}}`,
		"blockdev-add", `{"driver": "file", "node-name": "n0", "filename": "/dev/fdset/1", "read-only": true}`)
	c.want(okReply, "blockdev-add", `{"driver": "file", "node-name": "n0", "filename": "/dev/fdset/1"}`)
	c.want(okReply, "device_add", `{"driver": "virtio-blk-pci", "id": "d0", "drive": "n0", "bus": "rp0"}`)
	p.until("the guest has the disk", func() bool { return p.logged("up port=00:01.0 slot=0 plug=1") })
	c.want(okReply, "remove-fd", `{"fdset-id": 1}`)
	c.want(`{"return": [{"fds": [], "fdset-id": 1}]}`, "query-fdsets", `{}`)
	if got := c.ask("query-named-block-nodes", "{}"); !strings.Contains(got, `"/dev/fdset/1"`) {
		t.Error(got)
	}
	p.until("the guest has written", func() bool {
		report, err := demo.VerifyDisk(f, 2048)
		return err == nil && report.OK()
	})
}

// Dumps through a descriptor, by a raw client and by package qmp.
func TestDumpToDescriptor(t *testing.T) {
	p := newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-S", "-m", "16", "-qmp", "unix:DIR/S,server=on,wait=off")
	p.start()
	p.until("the monitor listens", func() bool { return p.exists("S") })
	c := dialFD(t, p.path("S"))
	core := newFile(t, p.path("core"), 0)
	c.want(okReply, "getfd", `{"fdname": "dump"}`, core)
	c.want(okReply, "dump-guest-memory", `{"paging": false, "protocol": "fd:dump"}`)
	isCore(t, core)
	c.want(`{"error": {"class": "GenericError", "desc": "File descriptor named 'dump' has not been found"}}`,
		"dump-guest-memory", `{"paging": false, "protocol": "fd:dump"}`)
	c.want(`{"error": {"class": "GenericError", "desc": "File descriptor named 'dump' not found"}}`, "closefd", `{"fdname": "dump"}`)

	client := dialQMP(t, p.path("S"))
	core = newFile(t, p.path("core2"), 0)
	if err := (api.Client{Executor: client.WithFiles(core)}).Getfd(t.Context(), &api.GetfdArgs{Fdname: "dump"}); err != nil {
		t.Fatal(err)
	}
	c.want(`{"error": {"class": "GenericError", "desc": "File descriptor named 'dump' has not been found"}}`,
		"dump-guest-memory", `{"paging": false, "protocol": "fd:dump"}`) // another client's
	if err := (api.Client{Executor: client}).DumpGuestMemory(t.Context(), &api.DumpGuestMemoryArgs{Protocol: "fd:dump"}); err != nil {
		t.Fatal(err)
	}
	isCore(t, core)
}

func isCore(t *testing.T, f *os.File) {
	t.Helper()
	core, err := elf.NewFile(f)
	if err != nil || core.Type != elf.ET_CORE || core.Machine != elf.EM_RISCV {
		t.Errorf("%v, %v", core, err)
	}
}

// A dump into a pipe that nobody reads does not keep the machine from ending.
func TestDumpIntoFullPipe(t *testing.T) {
	p := newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-S", "-m", "16", "-qmp", "unix:DIR/S,server=on,wait=off")
	p.start()
	p.until("the monitor listens", func() bool { return p.exists("S") })
	c := dialFD(t, p.path("S"))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.want(okReply, "getfd", `{"fdname": "dump"}`, w)
	_ = w.Close()
	c.want(okReply, "dump-guest-memory", `{"paging": false, "protocol": "fd:dump", "detach": true}`)
	if _, err := io.ReadFull(r, make([]byte, 4096)); err != nil {
		t.Error(err)
	}
}

// What libvirt starts its machines with: a listening socket for the monitor, and
// a pipe or file for the console, both inherited.
func TestInheritedDescriptors(t *testing.T) {
	p := newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-kernel", "builtin:demo",
		"-chardev", "socket,id=charmonitor,fd=3,server=on,wait=off", "-mon", "chardev=charmonitor,id=monitor,mode=control",
		"-add-fd", "set=0,fd=4,opaque=serial0-source", "-chardev", "file,id=charserial0,path=/dev/fdset/0,append=on",
		"-serial", "chardev:charserial0")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: p.path("S")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	socket, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	log, err := os.OpenFile(p.path("log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd.ExtraFiles = []*os.File{socket, log}
	p.start()
	p.until("the monitor listens", func() bool { return p.exists("S") })
	c := dialFD(t, p.path("S"))
	p.until("the guest is ready", func() bool { return p.logged("ready") })
	var reply struct {
		Return []struct {
			ID  int64 `json:"fdset-id"`
			FDs []struct {
				FD     int
				Opaque string
			}
		}
	}
	if err := json.Unmarshal([]byte(c.ask("query-fdsets", "{}")), &reply); err != nil {
		t.Fatal(err)
	}
	if r := reply.Return; len(r) != 1 || r[0].ID != 0 || len(r[0].FDs) != 1 || r[0].FDs[0].Opaque != "serial0-source" || r[0].FDs[0].FD <= 4 {
		t.Errorf("%+v", r)
	}
	if n := p.holds(log.Name()); n != 2 { // the set's and the console's; what was inherited is closed
		t.Errorf("the log is open %d times", n)
	}
	if got, want := c.ask("query-chardev", "{}"), `"filename": "unix:`+p.path("S")+`,server=on", "label": "charmonitor"`; !strings.Contains(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
}

// holds counts how often the process has a file open.
func (p *process) holds(file string) (n int) {
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	names, err := os.ReadDir(dir)
	if err != nil {
		p.Error(err)
	}
	for _, name := range names {
		if to, _ := os.Readlink(filepath.Join(dir, name.Name())); to == file { // those of sockets name none
			n++
		}
	}
	return n
}

// Two hundred conversations with descriptors of all kinds leave none behind.
func TestDescriptorsAreClosed(t *testing.T) {
	p := newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-S", "-m", "16", "-qmp", "unix:DIR/S,server=on,wait=off",
		"-monitor", "unix:DIR/H,server=on,wait=off", "-chardev", "socket,id=idle,path=DIR/I,server=on,wait=off")
	p.start()
	p.until("the monitors listen", func() bool { return p.exists("S") && p.exists("H") })
	watch := dialFD(t, p.path("S"))
	f := newFile(t, p.path("disk"), 1<<20)
	one := func(i int) {
		c := dialFD(t, p.path("S"))
		defer c.Close()
		c.want(okReply, "getfd", `{"fdname": "kept"}`, f, f)
		c.want(okReply, "getfd", `{"fdname": "kept"}`, f)
		if got := c.ask("getfd", `{"fdname": "1"}`, f); !strings.Contains(got, "not starting with a digit") {
			t.Error(got)
		}
		if got := c.ask("getfd", `{"nonesuch": "1"}`, f, f); !strings.Contains(got, "error") {
			t.Error(got)
		}
		if got := c.ask("add-fd", `{"fdset-id": 1}`, f, f, f); !strings.Contains(got, `"fdset-id": 1`) {
			t.Error(got)
		}
		c.want(okReply, "blockdev-add", `{"driver": "file", "node-name": "n", "filename": "/dev/fdset/1"}`)
		c.want(okReply, "remove-fd", `{"fdset-id": 1}`)
		c.want(okReply, "blockdev-del", `{"node-name": "n"}`)
		c.want(okReply, "chardev-add", `{"id": "c", "backend": {"type": "null", "data": {}}}`)
		if got := c.ask("chardev-add", `{"id": "c", "backend": {"type": "socket", "data": {"addr": {"type": "fd", "data": {"str": "kept"}}}}}`); !strings.Contains(got, "already exists") {
			t.Error(got)
		}
		c.want(okReply, "chardev-remove", `{"id": "c"}`)
		if got := c.ask("add_client", `{"protocol": "idle", "fdname": "kept"}`); !strings.Contains(got, "must name a socket") {
			t.Error(got)
		}
		c.want(okReply, "getfd", `{"fdname": "kept"}`, f)
		for _, garbage := range []string{"\xff}{", "{\"execute\": ", "\"\x00", "[[[[", "]"} {
			c.send(garbage, f, f) // whatever is answered, nobody reads
		}
		if i%2 == 0 { // and some go without reading to the end
			c.send(`{"execute": "getfd", "arguments": {"fdname": "late"}}`+"\n", f)
		}
		h := &fdConn{t, dialLines(t, p.path("H"))}
		defer h.Close()
		if _, err := h.readTo("(qemu) "); err != nil {
			t.Fatal(err)
		}
		h.send("getfd x\nclosefd x\nclosefd x\ngetfd y\n", f)
		if got, err := h.readTo("No file descriptor supplied via SCM_RIGHTS\r\n(qemu) "); err != nil || strings.Count(got, "Error") != 2 {
			t.Errorf("%q, %v", got, err)
		}
		h.send("getfd y\n", f)
		if _, err := h.readTo("(qemu) "); err != nil {
			t.Fatal(err)
		}
	}
	for i := range warmUp {
		one(i)
	}
	settled := func() int { // a client's descriptors go when its threads do, a moment later
		p.until("the clients' descriptors are closed", func() bool {
			watch.ask("query-status", "{}")
			return p.holds(f.Name()) == 0
		})
		return p.usage().files
	}
	before := settled()
	for i := range cycles {
		one(i)
	}
	p.until("as many files are open as before", func() bool { return settled() <= before+1 })
}
