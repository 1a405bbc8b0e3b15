package monitor_test

import (
	"bufio"
	"context"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
)

// TestMonitorsComeAndGo makes a socket and monitors on it while the machine
// runs, and takes them away.
func TestMonitorsComeAndGo(t *testing.T) {
	ctx := t.Context()
	g := start(t, 0)
	q := g.dial(ctx)
	c := api.Client{Executor: q}
	path := listen(t, c, "c")
	yes, human := true, api.XMonitorModeReadline
	for _, test := range []struct {
		args api.XMonitorAddArgs
		want string
	}{
		{api.XMonitorAddArgs{Id: "", Chardev: "c"}, "Parameter 'id' expects an identifier"},
		{api.XMonitorAddArgs{Id: "m n", Chardev: "c"}, "Parameter 'id' expects an identifier"},
		{api.XMonitorAddArgs{Id: "m", Chardev: "nope"}, `chardev "nope" not found`},
		{api.XMonitorAddArgs{Id: "m", Chardev: "c", Mode: &human, Pretty: &yes}, "'pretty' is not compatible with HMP monitors"},
		{api.XMonitorAddArgs{Id: "m", Chardev: "c"}, ""},
		{api.XMonitorAddArgs{Id: "m", Chardev: "c"}, "Monitor with id 'm' already exists"},
		{api.XMonitorAddArgs{Id: "n", Chardev: "c"}, "chardev 'c' is already in use"},
	} {
		if err := c.XMonitorAdd(ctx, &test.args); (err == nil) != (test.want == "") || err != nil && !strings.HasSuffix(err.Error(), test.want) {
			t.Errorf("x-monitor-add %+v: %v, want %q", test.args, err, test.want)
		}
	}
	var first *qmp.Client
	for range 2 {
		var err error
		if first, err = qmp.Dial(ctx, "unix", path); err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		if _, err := (api.Client{Executor: first}).QueryStatus(ctx); err != nil {
			t.Error(err)
		}
	}
	if err := first.Execute(ctx, "x-monitor-remove", map[string]string{"id": "m"}, nil); err == nil || !strings.Contains(err.Error(), "Monitor 'm' cannot remove itself") {
		t.Errorf("removing itself: %v", err)
	}
	if err := c.XMonitorRemove(ctx, &api.XMonitorRemoveArgs{Id: "m"}); err != nil {
		t.Error(err)
	}
	<-first.Done()
	if err := c.XMonitorRemove(ctx, &api.XMonitorRemoveArgs{Id: "m"}); err == nil || !strings.Contains(err.Error(), "Monitor 'm' not found") {
		t.Errorf("removing again: %v", err)
	}

	if err := c.XMonitorAdd(ctx, &api.XMonitorAddArgs{Id: "m", Chardev: "c", Mode: &human, Single: &yes}); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if text, err := bufio.NewReader(conn).ReadString(')'); err != nil || !strings.HasSuffix(text, "(qemu)") {
		t.Errorf("the human monitor says %q, %v", text, err)
	}
	if !slices.ContainsFunc(g.stalls(ctx, q).Monitors, func(m api.XStallsMonitor) bool { return strings.HasPrefix(m.Label, "hmp") }) {
		t.Error("x-query-stalls does not know the human monitor")
	}
	if err := c.XMonitorRemove(ctx, &api.XMonitorRemoveArgs{Id: "m"}); err != nil {
		t.Error(err)
	}
	if err := c.ChardevRemove(ctx, &api.ChardevRemoveArgs{Id: "c"}); err != nil {
		t.Error(err)
	}
}

// TestMonitorsRemoveEachOther: each of two clients removes the other's monitor,
// and so waits for the other's command. Being disconnected ends the wait.
func TestMonitorsRemoveEachOther(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g := start(t, 0)
	c := api.Client{Executor: g.dial(ctx)}
	clients := map[string]*qmp.Client{}
	for _, id := range []string{"a", "b"} {
		path := listen(t, c, id)
		if err := c.XMonitorAdd(ctx, &api.XMonitorAddArgs{Id: id, Chardev: id}); err != nil {
			t.Fatal(err)
		}
		q, err := qmp.Dial(ctx, "unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		clients[id] = q
	}
	var both sync.WaitGroup
	g.m.Locked("both ask", func() { // and neither is begun
		for id, other := range map[string]string{"a": "b", "b": "a"} {
			both.Go(func() { // what it is answered depends on who is disconnected first
				_ = clients[id].Execute(ctx, "x-monitor-remove", map[string]string{"id": other}, nil)
			})
		}
		watcher := clients["a"]
		for queued := 0; queued < 2; {
			queued = 0
			for _, m := range g.stalls(ctx, watcher).Monitors {
				queued += int(m.Queued)
			}
		}
	})
	both.Wait()
	for id, q := range clients {
		select {
		case <-q.Done():
		case <-ctx.Done():
			t.Errorf("%s is connected still", id)
		}
		for { // the monitor is gone at once, its device when the client is
			err := c.ChardevRemove(ctx, &api.ChardevRemoveArgs{Id: id})
			if err == nil {
				break
			}
			if !strings.Contains(err.Error(), "busy") || ctx.Err() != nil {
				t.Fatal(err)
			}
		}
	}
}

// listen makes a character device called id and returns the socket that it
// listens on.
func listen(t *testing.T, c api.Client, id string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	no := false
	_, err := c.ChardevAdd(t.Context(), &api.ChardevAddArgs{Id: id, Backend: api.ChardevBackend{Type: api.ChardevBackendKindSocket,
		Socket: &api.ChardevSocketWrapper{Data: api.ChardevSocket{Wait: &no, Addr: api.SocketAddressLegacy{
			Type: api.SocketAddressTypeUnix, Unix: &api.UnixSocketAddressWrapper{Data: api.UnixSocketAddress{Path: path}}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	return path
}
