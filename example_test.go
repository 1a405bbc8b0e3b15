package backplane_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"github.com/backplane-vm/backplane"
)

// A device is plugged into a running guest, and let go by it.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	screen, console := io.Pipe()
	m, err := backplane.New(backplane.Config{
		Args: []string{"-M", "virt", "-smp", "2", "-m", "128", "-kernel", "builtin:demo",
			"-device", "pcie-root-port,id=rp0,chassis=1"},
		Console: console,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	defer screen.Close()
	if err := m.Start(); err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(screen)
	for lines.Scan() && !strings.Contains(lines.Text(), "ready") {
	}
	go io.Copy(io.Discard, screen) // what else the guest says
	if err := m.Plug(ctx, backplane.Device{Driver: "virtio-rng-pci", ID: "rng0", Bus: "rp0"}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("plugged")
	if err := m.Unplug(ctx, "rng0"); err != nil { // returns when the guest has let go
		log.Fatal(err)
	}
	fmt.Println("unplugged, and rng0 is free again")
	// Output:
	// plugged
	// unplugged, and rng0 is free again
}
