package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	foreign "github.com/digitalocean/go-qemu/qmp"

	"github.com/backplane-vm/backplane/guest/demo"
	"github.com/backplane-vm/backplane/qmp/qmptest"
)

// Cycles are plug and unplug of a disk; warmUp of them come before the first
// count of what the process holds.
const (
	cycles = 200
	warmUp = 20
)

// guestBusy is device_del's answer while the guest has not taken up, or not
// yet let go, what is in the slot.
const guestBusy = "Hot-unplug failed: guest is busy (power indicator blinking)"

// aClient is somebody who speaks QMP in a way of their own.
type aClient interface {
	// run executes a command; a refusal is an error with the machine's words.
	run(command string, args map[string]any) error
	// deleted waits for the end of a device.
	deleted(id string) error
}

// TestCycles runs the command line that the project promises, and plugs and
// unplugs a disk over and over, as two strangers do.
func TestCycles(t *testing.T) {
	for name, connect := range map[string]func(t *testing.T, socket string) aClient{
		"go-qemu": newForeign, "raw socket": newRaw,
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-smp", "2", "-m", "128",
				"-kernel", "builtin:demo", "-serial", "file:DIR/log", "-device", "pcie-root-port,id=rp0,chassis=1",
				"-qmp", "unix:DIR/S,server=on,wait=off")
			p.cmd.Env = append(os.Environ(), "GOMAXPROCS=4") // or what it holds grows with the host's cores
			p.start()
			p.until("the guest is ready", func() bool { return p.logged("ready") })
			cycle(p, connect(t, p.path("S")))
		})
	}
}

// cycle plugs and unplugs, and holds the process to what it held before.
func cycle(p *process, c aClient) {
	p.Helper()
	image := p.path("disk.img")
	f, err := os.Create(image)
	if err == nil {
		err = demo.FormatDisk(f, 2048)
	}
	if err != nil {
		p.Fatal(err)
	}
	defer f.Close()
	var before usage
	for i := range cycles {
		if i == warmUp {
			before = p.usage()
		}
		seen := fmt.Sprintf("up port=00:01.0 slot=0 plug=%d", i+1)
		err := plugAndUnplug(c, image, func() { p.until("the guest has the disk", func() bool { return p.logged(seen) }) })
		if err != nil {
			p.Fatalf("cycle %d: %v", i, err)
		}
	}
	after := p.usage()
	p.Logf("after %d cycles: %v; after %d: %v", warmUp, before, cycles, after)
	if after.files > before.files {
		p.Errorf("open files grow: %v, then %v", before, after)
	}
	if after.threads > before.threads+(cycles-warmUp)/2 { // a cycle may leave none; the runtime starts some when the host is slow
		p.Errorf("threads grow: %v, then %v", before, after)
	}
	if after.rss > before.rss+32<<10 {
		p.Errorf("memory grows: %v, then %v", before, after)
	}
	report, err := demo.VerifyDisk(f, 2048)
	if err != nil || !report.OK() {
		p.Errorf("the disk: %v, %v", report, err)
	}
	p.until("the guest let the last disk go", func() bool { return p.logged(fmt.Sprintf("removed port=00:01.0 slot=0 plug=%d ", cycles)) })
	log, err := os.ReadFile(p.path("log"))
	if err != nil {
		p.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		if l, err := demo.ParseLine(line); err == nil && l.Failed() {
			p.Errorf("the guest met with %s", line)
		}
	}
}

// plugAndUnplug is one cycle; in is called when the disk is plugged.
func plugAndUnplug(c aClient, image string, in func()) error {
	if err := c.run("blockdev-add", map[string]any{"driver": "raw", "node-name": "d0",
		"file": map[string]any{"driver": "file", "filename": image}}); err != nil {
		return fmt.Errorf("blockdev-add: %w", err)
	}
	if err := c.run("device_add", map[string]any{"driver": "virtio-blk-pci", "id": "disk", "drive": "d0", "bus": "rp0"}); err != nil {
		return fmt.Errorf("device_add: %w", err)
	}
	in()
	// A client that is told "busy" asks again.
	deadline := time.Now().Add(patience)
	for {
		err := c.run("device_del", map[string]any{"id": "disk"})
		if err == nil {
			break
		}
		if err.Error() != guestBusy || time.Now().After(deadline) {
			return fmt.Errorf("device_del: %w", err)
		}
	}
	if err := c.deleted("disk"); err != nil {
		return fmt.Errorf("DEVICE_DELETED: %w", err)
	}
	if err := c.run("blockdev-del", map[string]any{"node-name": "d0"}); err != nil {
		return fmt.Errorf("blockdev-del: %w", err)
	}
	return nil
}

// foreignClient is digitalocean/go-qemu.
type foreignClient struct {
	m      *foreign.SocketMonitor
	events chan foreign.Event
}

func newForeign(t *testing.T, socket string) aClient {
	t.Helper()
	m, err := foreign.NewSocketMonitor("unix", socket, patience)
	if err == nil {
		err = m.Connect()
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Version.String(); !strings.HasPrefix(got, "10.0.") {
		t.Errorf("go-qemu sees version %s", got)
	}
	events, err := m.Events(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	// Whoever does not take its events stops its reader.
	c := &foreignClient{m: m, events: make(chan foreign.Event, 1<<12)}
	go func() {
		for e := range events {
			c.events <- e
		}
	}()
	t.Cleanup(func() {
		if err := m.Disconnect(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func (c *foreignClient) run(command string, args map[string]any) error {
	line, err := encode(command, args)
	if err != nil {
		return err
	}
	_, err = c.m.Run(line)
	return err
}

func (c *foreignClient) deleted(id string) error {
	timeout := time.After(patience)
	for {
		select {
		case e := <-c.events:
			if e.Event == "DEVICE_DELETED" && e.Data["device"] == id {
				return nil
			}
		case <-timeout:
			return errors.New("it does not come")
		}
	}
}

func encode(command string, args map[string]any) ([]byte, error) {
	c := foreign.Command{Execute: command}
	if args != nil {
		c.Args = args
	}
	return json.Marshal(c)
}

// rawClient writes lines and reads lines.
type rawClient struct {
	conn   *lineConn
	events []message // that came before a reply
}

// message is what of a line from the machine matters here.
type message struct {
	Return json.RawMessage
	Error  *struct{ Class, Desc string }
	Event  string
	Data   struct{ Device string }
}

func newRaw(t *testing.T, socket string) aClient {
	t.Helper()
	c := &rawClient{conn: dialLines(t, socket)}
	if greeting, err := c.conn.read(); err != nil || !strings.HasPrefix(string(qmptest.Redact([]byte(greeting))), `{"QMP": {"version": VERSION`) {
		t.Fatalf("greeting %s, %v", greeting, err)
	}
	if err := c.run("qmp_capabilities", nil); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *rawClient) next() (m message, err error) {
	line, err := c.conn.read()
	if err == nil {
		err = json.Unmarshal([]byte(line), &m)
	}
	return m, err
}

func (c *rawClient) run(command string, args map[string]any) error {
	line, err := encode(command, args)
	if err == nil {
		err = c.conn.write(string(line) + "\n")
	}
	for err == nil {
		var m message
		switch m, err = c.next(); {
		case err != nil:
		case m.Error != nil:
			return errors.New(m.Error.Desc)
		case m.Event == "":
			return nil
		default:
			c.events = append(c.events, m)
		}
	}
	return err
}

func (c *rawClient) deleted(id string) error {
	for {
		for i, m := range c.events {
			if m.Event == "DEVICE_DELETED" && m.Data.Device == id {
				c.events = c.events[i+1:]
				return nil
			}
		}
		m, err := c.next()
		if err != nil {
			return err
		}
		c.events = append(c.events, m)
	}
}
