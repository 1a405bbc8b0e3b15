package monitor_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// TestCompletion presses Tab at a human monitor.
func TestCompletion(t *testing.T) {
	g := start(t, 2)
	c := g.qmp(t.Context())
	node := qobject.Members("driver", "null-co", "node-name", "disk0")
	if err := c.Execute(t.Context(), "blockdev-add", node, nil); err != nil {
		t.Fatal(err)
	}
	human(t, t.Context(), c, "drive_add 0 if=none,id=empty0")
	human(t, t.Context(), c, "chardev-add ringbuf,id=ring0")
	human(t, t.Context(), c, "chardev-add null,id=nothing")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "memory.bin"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "images"), 0o700); err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	g.m.World.Go("hmp reader", func(*sched.Thread) { g.set.ServeHMP(theirs) })
	defer ours.Close()
	term := &typist{T: t, conn: ours}
	term.until("(qemu) ")
	for typed, want := range map[string]string{
		"inf\t":                                "info ",
		"info regi\t":                          "info registers ",
		"help info mt\t":                       "help info mtree ",
		"device_add virtio-blk-pci-n\t":        "device_add virtio-blk-pci-non-transitional ",
		"device_add virtio-blk-pci,dri\t":      "device_add virtio-blk-pci,drive=",
		"device_add virtio-blk-pci,drive=di\t": "device_add virtio-blk-pci,drive=disk0 ",
		"device_add virtio-blk,bus=rp1\t":      "device_add virtio-blk,bus=rp1 ",
		"device_del rp0\t":                     "device_del rp0 ",
		"device_add virtio-blk-pci,drive=em\t": "device_add virtio-blk-pci,drive=empty0 ",
		"block_resize \t":                      "block_resize empty0 ", // and no nodes
		"drive_del e\t":                        "drive_del empty0 ",
		"chardev-remove no\t":                  "chardev-remove nothing ",
		"chardev-add std\t\x7f":                "chardev-add stdio",
		"ringbuf_read r\t":                     "ringbuf_read ring0 ",
		"qom-list /mach\t":                     "qom-list /machine/",
		"qom-get /machine/soc0 ty\t":           "qom-get /machine/soc0 type ",
		"memsave 0 1 " + dir + "/m\t":          "memsave 0 1 " + dir + "/memory.bin ",
		"memsave 0 1 " + dir + "/i\t":          "memsave 0 1 " + dir + "/images/",
	} {
		term.write(typed)
		term.until(want)
		term.write("\x15\r") // take the line back
		term.until("(qemu) ")
	}
}

// deadlined is a connection, or a file, whose reads may be bounded.
type deadlined interface {
	io.ReadWriteCloser
	SetReadDeadline(time.Time) error
}

// typist sits at a terminal.
type typist struct {
	*testing.T
	conn  deadlined
	shown strings.Builder
}

func (p *typist) write(keys string) {
	p.Helper()
	p.shown.Reset()
	if _, err := p.conn.Write([]byte(keys)); err != nil {
		p.Fatal(err)
	}
}

func (p *typist) until(text string) {
	p.Helper()
	if err := p.conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		p.Fatal(err)
	}
	buf := make([]byte, 4096)
	for !strings.Contains(p.shown.String(), text) {
		n, err := p.conn.Read(buf)
		p.shown.Write(buf[:n])
		if err != nil {
			p.Fatalf("%q does not appear: %v; there is %q", text, err, p.shown.String())
		}
	}
}
