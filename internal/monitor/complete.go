package monitor

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/backplane-vm/backplane/internal/qdev"
)

// maxFiles is how many entries of a directory are looked at for completion.
const maxFiles = 4096

// completeFiles proposes files that begin with prefix; a directory has a '/'
// behind it. It reads the directory at once, which is the price of the key.
func completeFiles(prefix string) []string {
	dir, name := filepath.Split(prefix)
	where := dir
	if where == "" {
		where = "."
	}
	d, err := os.Open(where)
	if err != nil {
		return nil
	}
	defer d.Close()
	entries, _ := d.ReadDir(maxFiles) // what could be read is proposed
	var files []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), name) || name == "" && strings.HasPrefix(e.Name(), ".") {
			continue
		}
		file := dir + e.Name()
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			file += "/"
		}
		files = append(files, file)
	}
	return files
}

// fileArgument proposes files for argument n of a command, from 0.
func fileArgument(n int) func(args []string) []string {
	return func(args []string) []string {
		if len(args) != n+1 {
			return nil
		}
		return completeFiles(args[n])
	}
}

// completeDeviceAdd proposes drivers, then their properties, then values where
// there is a list of what they may be.
func (h *handlers) completeDeviceAdd(args []string) []string {
	if len(args) > 1 {
		return nil
	}
	done, last, more := cutLast(args[0], ",")
	if !more {
		return h.drivers()
	}
	driver, _, _ := strings.Cut(done, ",")
	driver = strings.TrimPrefix(driver, "driver=")
	key, _, valued := strings.Cut(last, "=")
	var words []string
	switch {
	case !valued:
		words = h.deviceOptions(driver)
	case key == "bus":
		words = prefixed("bus=", busNames(h.m.Devices.QTree(), nil))
	case key == "drive":
		words = prefixed("drive=", append(h.s.driveNames(), h.s.nodeNames()...))
	}
	return prefixed(done+",", words)
}

func prefixed(prefix string, words []string) []string {
	out := make([]string, 0, len(words))
	for _, w := range words {
		out = append(out, prefix+w)
	}
	return out
}

func (h *handlers) drivers() []string {
	var names []string
	for _, c := range h.m.Devices.Registry().Creatable() {
		names = append(names, c.Name)
		if c.Alias != "" {
			names = append(names, c.Alias)
		}
	}
	return names
}

// deviceOptions are the options that a driver takes, each with its '='.
func (h *handlers) deviceOptions(driver string) []string {
	options := []string{"id=", "bus="}
	for _, c := range h.m.Devices.Registry().Creatable() {
		if c.Alias == driver {
			driver = c.Name
		}
	}
	props, err := h.m.Devices.Registry().ListProperties(driver)
	if err != nil {
		return options
	}
	for _, p := range props {
		if p.Set != nil {
			options = append(options, p.Name+"=")
		}
	}
	return options
}

// busNames appends the names of b and all buses below it.
func busNames(b qdev.BusInfo, names []string) []string {
	names = append(names, b.Name)
	for _, d := range b.Devices {
		for _, child := range d.Buses {
			names = busNames(child, names)
		}
	}
	return names
}
