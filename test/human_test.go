package e2e

import (
	"strings"
	"testing"
)

// prompt is what the human monitor waits behind.
const prompt = "(qemu) "

// human is somebody at the human monitor, over a unix socket.
type human struct {
	*testing.T
	conn *lineConn
}

// types sends keys and returns what is shown up to the next prompt, without
// the echo of the keys as the line editor draws it.
func (h *human) types(keys string) string {
	h.Helper()
	if err := h.conn.write(keys); err != nil {
		h.Fatal(err)
	}
	shown, err := h.conn.readTo("\n")
	if err != nil {
		h.Fatalf("after %q: %v; it shows %q", keys, err, shown)
	}
	answer, err := h.conn.readTo(prompt)
	if err != nil {
		h.Fatalf("after %q: %v; it shows %q", keys, err, answer)
	}
	return strings.ReplaceAll(strings.TrimSuffix(answer, prompt), "\r\n", "\n")
}

// TestHumanMonitor sits at the human monitor of the binary.
func TestHumanMonitor(t *testing.T) {
	p := newProcess(t, "-M", "virt", "-nodefaults", "-display", "none", "-S", "-m", "128", "-name", "guest0",
		"-device", "pcie-root-port,id=rp0,chassis=1", "-blockdev", "driver=null-co,node-name=n0,size=1048576,read-zeroes=on",
		"-monitor", "unix:DIR/H,server=on,wait=off")
	p.start()
	var conn *lineConn
	p.until("the socket is there", func() bool { return p.exists("H") })
	conn = dialLines(t, p.path("H"))
	if banner, err := conn.readTo(prompt); err != nil || !strings.HasPrefix(banner, "QEMU 10.0.2 monitor - type 'help' for more information\r\n") {
		t.Fatalf("banner %q, %v", banner, err)
	}
	h := &human{t, conn}
	for _, c := range []struct{ keys, want string }{
		{"info status\r", "VM status: paused (prelaunch)\n"},
		{"info name\r", "guest0\n"},
		{"info ver\t\r", "10.0.2backplane *"},
		{"info cpus\r", "* CPU #0: thread_id=*"},
		{"info block\r", "*"},
		{"info pci\r", "  Bus  0, device   0, function 0:\n    Host bridge: PCI device 1b36:0008\n*"},
		{"info qtree\r", "bus: main-system-bus\n  type System\n*"},
		{"info mtree\r", "address-space: *"},
		{"info chardev\r", "compat_monitor0: filename=*"},
		{"info nonesuch\r", "unknown command: 'info nonesuch'\n"},
		{"nonesuch\r", "unknown command: 'nonesuch'\n"},
		{"device_del\r", "device_del: string expected\nTry \"help device_del\" for more information\n"},
		{"device_del nonesuch\r", "Error: Device 'nonesuch' not found\n"},
		{"device_add nonesuch\r", "Error: 'nonesuch' is not a valid device model name\n"},
		{"device_a\tvirtio-rng-pci,id=a,bus=rp0\r", ""}, // completion adds a space
		{"device_add virtio-rng-pci,id=a,bus=rp0\r", "Error: Duplicate ID 'a' for device\n"},
		{"help device_del\r", "device_del device -- remove device\n"},
		{"help\r", "*device_add driver[,prop=value][,...] -- add device, like -device on the command line\n*"},
		{"device_del a\t\r", ""},
		{"device_del a\r", "Error: Device 'a' not found\n"},
		{"cont\r", ""},
		{"info status\r", "VM status: running\n"},
		{"stop\r", ""},
		{"info status\r", "VM status: paused\n"},
		{"\r", ""},
		{"xyz\x15info name\r", "guest0\n"}, // ctrl-U takes the line back
	} {
		if got := h.types(c.keys); !like(got, c.want) {
			t.Errorf("%q: it says\n%q\nwant\n%q", c.keys, got, c.want)
		}
	}
	if err := conn.write("quit\r"); err != nil {
		t.Fatal(err)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}

// like compares; a '*' stands for anything, but that at the very beginning of
// "* CPU" for itself.
func like(got, want string) bool {
	if rest, star := strings.CutPrefix(want, "* CPU"); star {
		after, ok := strings.CutPrefix(got, "* CPU")
		return ok && like(after, rest)
	}
	parts := strings.Split(want, "*")
	rest, ok := strings.CutPrefix(got, parts[0])
	for _, part := range parts[1:] {
		if !ok {
			return false
		}
		_, rest, ok = strings.Cut(rest, part)
	}
	return ok && (rest == "" || strings.HasSuffix(want, "*"))
}
