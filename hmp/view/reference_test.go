package view

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The references are what QEMU 10.0.2 printed. These tests read one into the
// structs of this package and print it again: every byte has to come back.

func reference(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("testdata/info-" + name + "-10.0.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// same compares with a reference, of which a last blank line may be missing
// where it was recorded.
func same(t *testing.T, want string, print func(io.Writer)) {
	t.Helper()
	var b bytes.Buffer
	print(&b)
	g, w := strings.Split(b.String(), "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("line %d:\n got %q\nwant %q", i+1, g[min(i, len(g)):min(i+2, len(g))], w[min(i, len(w)):min(i+2, len(w))])
		}
	}
}

func TestSmallReferences(t *testing.T) {
	for name, print := range map[string]func(io.Writer){
		"version":      Version{10, 0, 2, "Debian 1:10.0.2+ds-2+deb13u1~bpo12+1"}.Print,
		"status":       Status{State: "prelaunch"}.Print,
		"status-guest": Status{Running: true, State: "running"}.Print,
		"cpus":         func(w io.Writer) { PrintCPUs(w, []CPU{{0, 27554}, {1, 27555}}, 0) },
		"cpus-guest":   func(w io.Writer) { PrintCPUs(w, []CPU{{0, 5803}, {1, 5804}}, 0) },
		"chardev":      func(w io.Writer) { PrintChardevs(w, []Chardev{{"compat_monitor0", "stdio"}}) },
		"block": func(w io.Writer) {
			PrintBlocks(w, []Block{{
				Attached: "/machine/peripheral/blk0/virtio-backend",
				Inserted: &Medium{NodeName: "n0", Driver: "null-co", Writeback: true,
					File: `json:{"read-zeroes": true, "driver": "null-co", "size": 67108864}`},
			}}, nil, BlockOptions{})
		},
	} {
		t.Run(name, func(t *testing.T) { same(t, reference(t, name), print) })
	}
}

// cursor walks over the lines of a reference.
type cursor struct {
	t     *testing.T
	lines []string
	match []string
}

func walk(t *testing.T, text string) *cursor {
	return &cursor{t: t, lines: strings.Split(strings.TrimSuffix(text, "\n"), "\n")}
}

// take passes the line if it matches the whole pattern.
func (c *cursor) take(pattern string) bool {
	if len(c.lines) == 0 {
		return false
	}
	c.match = regexp.MustCompile("^" + pattern + "$").FindStringSubmatch(c.lines[0])
	if c.match == nil {
		return false
	}
	c.lines = c.lines[1:]
	return true
}

func (c *cursor) must(pattern string) {
	c.t.Helper()
	if !c.take(pattern) {
		c.t.Fatalf("%q does not match %s", append(c.lines, "(end)")[0], pattern)
	}
}

func (c *cursor) num(i, base int) uint64 {
	c.t.Helper()
	n, err := strconv.ParseUint(c.match[i], base, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *cursor) int(i int) int { return int(c.num(i, 10)) }

func TestPCIReferences(t *testing.T) {
	for _, name := range []string{"pci", "pci-guest"} {
		t.Run(name, func(t *testing.T) {
			text := reference(t, name)
			c := walk(t, text)
			var devices []PCIDevice
			for len(c.lines) > 0 {
				d := readPCI(c)
				// A device on another bus than 0 is behind the bridge before it.
				if n := len(devices); d.Bus != 0 && n > 0 {
					b := devices[n-1].Bridge
					b.Devices = append(b.Devices, d)
				} else {
					devices = append(devices, d)
				}
			}
			same(t, text, func(w io.Writer) { PrintPCI(w, devices) })
		})
	}
}

func readPCI(c *cursor) (d PCIDevice) {
	c.must(`  Bus +(\d+), device +(\d+), function (\d):`)
	d.Bus, d.Slot, d.Function = c.int(1), c.int(2), c.int(3)
	c.must(`    (.*): PCI device (....):(....)`)
	d.Class, d.Vendor, d.Device = c.match[1], uint16(c.num(2, 16)), uint16(c.num(3, 16))
	if c.take(`      PCI subsystem (....):(....)`) {
		d.Subsystem = &PCISubsystem{uint16(c.num(1, 16)), uint16(c.num(2, 16))}
	}
	if c.take(`      IRQ (\d+), pin (.)`) {
		d.IRQ = &PCIInterrupt{c.int(1), int(c.match[2][0]-'A') + 1}
	}
	if c.take(`      BUS (\d+)\.`) {
		d.Bridge = readBridge(c)
	}
	for c.take(`      BAR(\d): (..) bit( prefetchable)? memory (?:at 0x(\w+) \[0x(\w+)\]|\(not mapped\))`) {
		r := PCIRegion{BAR: c.int(1), Is64: c.match[2] == "64", Prefetch: c.match[3] != "", Mapped: c.match[4] != ""}
		if r.Mapped {
			r.Address = c.num(4, 16)
			r.Size = c.num(5, 16) - r.Address + 1
		}
		d.Regions = append(d.Regions, r)
	}
	c.must(`      id "(.*)"`)
	d.ID = c.match[1]
	return d
}

func readBridge(c *cursor) *PCIBridge {
	b := &PCIBridge{Primary: c.int(1)}
	c.must(`      secondary bus (\d+)\.`)
	b.Secondary = c.int(1)
	c.must(`      subordinate bus (\d+)\.`)
	b.Subordinate = c.int(1)
	for _, r := range []struct {
		name string
		to   *PCIRange
	}{{"IO", &b.IO}, {"memory", &b.Memory}, {"prefetchable memory", &b.Prefetchable}} {
		c.must(`      ` + r.name + ` range \[0x(\w+), 0x(\w+)\]`)
		*r.to = PCIRange{c.num(1, 16), c.num(2, 16)}
	}
	return b
}

func TestQTreeReferences(t *testing.T) {
	for _, name := range []string{"qtree", "qtree-guest"} {
		t.Run(name, func(t *testing.T) {
			text := reference(t, name)
			c := walk(t, text)
			c.must(`bus: (.*)`)
			root := readBus(c, "")
			if len(c.lines) != 0 {
				t.Fatalf("left: %q", c.lines)
			}
			same(t, text, func(w io.Writer) { PrintQTree(w, root, false) })

			var brief bytes.Buffer
			PrintQTree(&brief, root, true)
			want := regexp.MustCompile(`(?m)^ *(bus: |  type |  dev: ).*\n`).FindAllString(text, -1)
			if brief.String() != strings.Join(want, "") {
				t.Errorf("brief tree:\n%s", brief.String())
			}
		})
	}
}

func readBus(c *cursor, indent string) *Bus {
	b := &Bus{Name: c.match[1]}
	c.must(indent + `  type (.*)`)
	b.Type = c.match[1]
	for c.take(indent + `  dev: (.*), id "(.*)"`) {
		b.Devices = append(b.Devices, readDevice(c, indent+"    "))
	}
	return b
}

// readDevice puts values in canonical form by way of the Value functions.
func readDevice(c *cursor, indent string) *Device {
	d := &Device{Type: c.match[1], ID: c.match[2]}
	for c.take(indent + `gpio-(in|out) "(.*)" (\d+)`) {
		g := GPIO{Name: c.match[2], In: c.int(3)}
		if c.match[1] == "out" {
			g.In, g.Out = 0, g.In
		}
		d.GPIOs = append(d.GPIOs, g)
	}
	for c.take(indent + `([^ ]+) = (.*)`) {
		d.Props = append(d.Props, Prop{c.match[1], readValue(c.t, c.match[2])})
	}
	for c.take(indent + `mmio (\w+)/(\w+)`) {
		d.Details = append(d.Details, MMIODetail(c.num(1, 16), c.num(2, 16)))
	}
	if c.take(indent + `class (.*), addr (..):(..)\.(.), pci id (....):(....) \(sub (....):(....)\)`) {
		d.Details = append(d.Details, readFunction(c, indent)...)
	}
	for c.take(indent + `bus: (.*)`) {
		d.Buses = append(d.Buses, readBus(c, indent))
	}
	return d
}

func readFunction(c *cursor, indent string) []string {
	f := PCIFunction{Class: c.match[1], Bus: int(c.num(2, 16)), Slot: int(c.num(3, 16)), Function: int(c.num(4, 16)),
		Vendor: uint16(c.num(5, 16)), Device: uint16(c.num(6, 16)),
		SubVendor: uint16(c.num(7, 16)), SubDevice: uint16(c.num(8, 16))}
	for c.take(indent + `bar (\d): mem at 0x(\w+) \[0x(\w+)\]`) {
		r := PCIRegion{BAR: c.int(1), Address: c.num(2, 16)}
		r.Size, r.Mapped = c.num(3, 16)-r.Address+1, r.Address != Unmapped
		f.Regions = append(f.Regions, r)
	}
	return PCIDetails(f)
}

func readValue(t *testing.T, text string) string {
	t.Helper()
	var n uint64
	var i int64
	switch {
	case text == "<null>":
		return ""
	case text == "true", text == "false":
		return ValueBool(text == "true")
	case strings.HasPrefix(text, `"`):
		return ValueString(strings.Trim(text, `"`))
	case strings.HasPrefix(text, "-"):
		fmt.Sscanf(text, "%d", &i)
		return ValueInt(i)
	case strings.HasSuffix(text, "B)"):
		fmt.Sscanf(text, "%d", &n)
		return ValueSize(n)
	case strings.HasSuffix(text, ")"):
		fmt.Sscanf(text, "%d", &n)
		return ValueUint(n)
	}
	return text // an address: "01.0"
}
