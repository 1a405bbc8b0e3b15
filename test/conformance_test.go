package e2e

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
	"github.com/backplane-vm/backplane/qmp/qmptest"
)

// programs are the binary and, if one is installed beside it, a QEMU. CI installs
// one.
func programs(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"backplane": binary}
	path, err := exec.LookPath("qemu-system-riscv64")
	switch {
	case err == nil:
		all["QEMU"] = path
	case os.Getenv("CI") != "":
		t.Fatal(err)
	default:
		t.Log("there is no qemu-system-riscv64 to compare with")
	}
	return all
}

// served runs a program with a QMP socket for many connections, and returns
// what connects to it.
func served(t *testing.T, program string, flags ...string) func() (net.Conn, error) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "qmp")
	args := append([]string{"-M", "virt", "-nodefaults", "-display", "none", "-S",
		"-chardev", "socket,id=m,path=" + socket + ",server=on,wait=off", "-mon", "chardev=m,mode=control"}, flags...)
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed: its status says nothing
	})
	return func() (net.Conn, error) {
		deadline := time.Now().Add(patience)
		for {
			conn, err := net.Dial("unix", socket)
			if err == nil || time.Now().After(deadline) {
				return conn, err
			}
		}
	}
}

// TestConformance holds the conversations of qmptest with the binary, with a
// QEMU, and with the server at the address in QMP_SERVER ("unix:PATH" or
// "tcp:HOST:PORT"), if that is set.
func TestConformance(t *testing.T) {
	for name, program := range programs(t) {
		t.Run(name, func(t *testing.T) { qmptest.TestConformance(t, served(t, program)) })
	}
	if address, ok := os.LookupEnv("QMP_SERVER"); ok {
		network, where, _ := strings.Cut(address, ":")
		t.Run("server", func(t *testing.T) {
			qmptest.TestConformance(t, func() (net.Conn, error) { return net.Dial(network, where) })
		})
	}
}

// TestTypedClient uses the generated calls on the binary and on a QEMU.
func TestTypedClient(t *testing.T) {
	for name, program := range programs(t) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			conn, err := served(t, program, "-device", "pcie-root-port,id=rp0")()
			if err != nil {
				t.Fatal(err)
			}
			q, err := qmp.NewClient(ctx, conn)
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			c := api.Client{Executor: q}
			status, err := c.QueryStatus(ctx)
			if err != nil || status.Running || status.Status != api.RunStatePrelaunch {
				t.Errorf("query-status: %+v, %v", status, err)
			}
			if version, err := c.QueryVersion(ctx); err != nil || version.Qemu.Major != q.Version().Major {
				t.Errorf("query-version: %+v, %v", version, err)
			}
			schema, err := c.QueryQmpSchema(ctx, nil)
			if err != nil || len(schema) < 100 {
				t.Errorf("query-qmp-schema: %d entities, %v", len(schema), err)
			}
			if cpus, err := c.QueryCpusFast(ctx); err != nil || len(cpus) != 1 {
				t.Errorf("query-cpus-fast: %+v, %v", cpus, err)
			}
			if buses, err := c.QueryPci(ctx); err != nil || len(buses) == 0 || len(buses[0].Devices) < 2 {
				t.Errorf("query-pci: %+v, %v", buses, err)
			}
			list, err := c.QomList(ctx, &api.QomListArgs{Path: "/machine/peripheral"})
			if err != nil || !slices.ContainsFunc(list, func(p api.ObjectPropertyInfo) bool { return p.Name == "rp0" }) {
				t.Errorf("qom-list: %+v, %v", list, err)
			}
			cursor := q.Events().Cursor()
			if err := c.Cont(ctx); err != nil {
				t.Error(err)
			}
			if _, err := q.WaitEvent(ctx, cursor, func(e qmp.Received) bool { return e.Name == "RESUME" }); err != nil {
				t.Error(err)
			}
			if err := q.ExecuteOOB(ctx, "query-status", nil, nil); err == nil || errors.Is(err, qmp.ErrClosed) {
				t.Errorf("query-status out of band: %v", err)
			}
		})
	}
}
