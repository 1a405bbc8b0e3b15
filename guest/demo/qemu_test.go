//go:build unix

package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	qemuProgram  = "qemu-system-riscv64"
	qemuPatience = time.Minute // for a whole run of about a second; then QEMU is killed and every read ends
)

// qemu is a real QEMU running the committed guest: its console and its QMP.
// One goroutine, the test's, alternates between the two.
type qemu struct {
	t       *testing.T
	console *bufio.Scanner
	qmp     net.Conn
	in      *json.Decoder
	deleted map[string]bool
}

func startQEMU(t *testing.T, harts int, args ...string) *qemu {
	t.Helper()
	program, err := exec.LookPath(qemuProgram)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(qemuProgram + " is not installed; .ci/run installs it")
		}
		t.Skip(qemuProgram + " is not installed")
	}
	image := filepath.Join(t.TempDir(), "demo.elf")
	if err := os.WriteFile(image, ELF(), 0o600); err != nil {
		t.Fatal(err)
	}
	ours, theirs := socketPair(t)
	ctx, cancel := context.WithTimeout(t.Context(), qemuPatience)
	cmd := exec.CommandContext(ctx, program, append([]string{
		"-M", "virt", "-nodefaults", "-display", "none", "-smp", fmt.Sprint(harts), "-m", "128", "-bios", "none",
		"-kernel", image, "-serial", "stdio", "-chardev", "socket,id=q,fd=3", "-mon", "chardev=q,mode=control",
	}, args...)...)
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stderr = os.Stderr
	console, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	t.Cleanup(func() {
		ours.Close()
		cancel()
		_ = cmd.Wait() // killed: its status says nothing
	})
	q := &qemu{t: t, console: bufio.NewScanner(console), qmp: ours, in: json.NewDecoder(ours), deleted: map[string]bool{}}
	q.receive() // the greeting
	q.execute("qmp_capabilities", "{}")
	return q
}

func socketPair(t *testing.T) (net.Conn, *os.File) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	syscall.CloseOnExec(fds[0])
	file := os.NewFile(uintptr(fds[0]), "qmp")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		t.Fatal(err)
	}
	return conn, os.NewFile(uintptr(fds[1]), "qmp peer")
}

type message struct {
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
	Event string `json:"event"`
	Data  struct {
		Device string `json:"device"`
	} `json:"data"`
}

func (q *qemu) receive() message {
	q.t.Helper()
	var m message
	if err := q.in.Decode(&m); err != nil {
		q.t.Fatal("QMP: ", err)
	}
	if m.Event == "DEVICE_DELETED" {
		q.deleted[m.Data.Device] = true
	}
	return m
}

func (q *qemu) execute(command, arguments string) {
	q.t.Helper()
	if _, err := fmt.Fprintf(q.qmp, `{"execute": %q, "arguments": %s}`, command, arguments); err != nil {
		q.t.Fatal(err)
	}
	for {
		switch m := q.receive(); {
		case m.Error != nil:
			q.t.Fatalf("%s %s: %s", command, arguments, m.Error.Desc)
		case m.Return != nil:
			return
		}
	}
}

func (q *qemu) waitDeleted(id string) {
	q.t.Helper()
	for !q.deleted[id] {
		q.receive()
	}
	delete(q.deleted, id)
}

// until reads the console up to a line of the event that has all the fields,
// given as "key=value"; any failure the guest reports ends the test.
func (q *qemu) until(event string, fields ...string) Line {
	q.t.Helper()
	for q.console.Scan() {
		if q.console.Text() == "" {
			continue
		}
		l, err := ParseLine(q.console.Text())
		if err != nil && event == EventBoot {
			continue // torn by the reset
		}
		if err != nil {
			q.t.Fatal(err)
		}
		if l.Failed() {
			q.t.Fatal("the guest says: ", l)
		}
		if l.Event == event && hasFields(l, fields) {
			return l
		}
	}
	q.t.Fatalf("the console ended before %s %v: %v", event, fields, q.console.Err())
	return Line{}
}

func hasFields(l Line, fields []string) bool {
	for _, f := range fields {
		if key, value, _ := strings.Cut(f, "="); l.Get(key) != value {
			return false
		}
	}
	return true
}

// The committed guest on the machine it imitates: a formatted disk goes in and
// out, is there at a reset, and holds what it should at the end.
func TestGuestOnQEMU(t *testing.T) {
	if testing.Short() {
		t.Skip("starts QEMU")
	}
	for _, harts := range []int{1, 2} {
		t.Run(fmt.Sprint(harts, " harts"), func(t *testing.T) { plugOnQEMU(t, harts) })
	}
}

func plugOnQEMU(t *testing.T, harts int) {
	const sectors, cycles = 4096, 4
	path := filepath.Join(t.TempDir(), "disk.raw")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := FormatDisk(file, sectors); err != nil {
		t.Fatal(err)
	}
	q := startQEMU(t, harts, "-device", "pcie-root-port,id=rp0,chassis=1,slot=5")
	q.until(EventReady, "ports=1")
	plug := func() {
		q.execute("blockdev-add", fmt.Sprintf(`{"driver": "raw", "node-name": "n0", "file": {"driver": "file", "filename": %q}}`, path))
		q.execute("device_add", `{"driver": "virtio-blk-pci", "id": "d0", "drive": "n0", "bus": "rp0"}`)
	}
	unplug := func() {
		q.execute("device_del", `{"id": "d0"}`)
		q.waitDeleted("d0")
		q.execute("blockdev-del", `{"node-name": "n0"}`)
	}
	for i := 1; i <= cycles; i++ {
		n := fmt.Sprint("plug=", i)
		plug()
		q.until(EventDriverReady, n, "slot=5", "driver=virtio-blk", fmt.Sprint("capacity=", sectors))
		q.until(EventFirstRead, n, "sum="+SumOK)
		q.until(EventWriteVerify, n, "result="+ResultOK)
		unplug()
		q.until(EventRemoved, n, "surprise=0")
	}
	plug()
	q.until(EventWriteVerify, "result="+ResultOK)
	q.execute("system_reset", "{}")
	q.until(EventBoot)
	q.until(EventWriteVerify, "plug=1", "result="+ResultOK)
	unplug()
	q.until(EventRemoved, "plug=1", "surprise=0")
	report, err := VerifyDisk(file, sectors)
	if err != nil || !report.OK() || report.Guest == 0 {
		t.Errorf("%v, %v", report, err)
	}
}
