package launch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/launch"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// inheritable is a descriptor as a process starts with it.
func inheritable(t *testing.T, path string, flag int) int {
	t.Helper()
	fd, err := unix.Open(path, flag|unix.O_CREAT, 0o600) // and not closed on exec
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestAddFDRefused(t *testing.T) {
	dir := t.TempDir()
	fd := inheritable(t, filepath.Join(dir, "f"), unix.O_RDWR)
	defer unix.Close(fd)
	for flag, want := range map[string]string{
		fmt.Sprintf("fd=%d", fd):             "set option is required and must be non-negative",
		fmt.Sprintf("fd=%d,set=-1", fd):      "set option is required and must be non-negative",
		"":                                   "fd option is required and must be non-negative",
		"set=1":                              "fd option is required and must be non-negative",
		"fd=-3,set=1":                        "fd option is required and must be non-negative",
		"fd=2,set=1":                         "fd cannot be a standard I/O stream",
		"fd=9999,set=1":                      "fd is not valid or already in use",
		"fd=x,set=1":                         "Parameter 'fd' expects a number",
		fmt.Sprintf("fd=%d,set=1,foo=2", fd): "Invalid parameter 'foo'",
	} {
		vm, err := launch.New([]string{"-M", "virt", "-add-fd", flag}, launch.Options{})
		if vm != nil {
			vm.Close()
		}
		if want = "-add-fd " + flag + ": " + want; err == nil || qerr.From(err).Desc != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Sets of -add-fd are there for objects, disks and consoles, in whatever order
// the flags come; what was inherited is closed.
func TestAddFD(t *testing.T) {
	dir := t.TempDir()
	disk, log, entropy := filepath.Join(dir, "disk"), filepath.Join(dir, "log"), filepath.Join(dir, "entropy")
	for _, name := range []string{disk, entropy} {
		if err := os.WriteFile(name, make([]byte, 4096), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rw, wo, ro := inheritable(t, disk, unix.O_RDWR), inheritable(t, log, unix.O_WRONLY), inheritable(t, entropy, unix.O_RDONLY)
	vm, err := launch.New([]string{
		"-M", "virt", "-nodefaults", "-object", "rng-random,id=r,filename=/dev/fdset/3",
		"-drive", "if=none,id=d,format=raw,file=/dev/fdset/1", "-chardev", "file,id=c,path=/dev/fdset/2", "-serial", "chardev:c",
		"-add-fd", fmt.Sprintf("fd=%d,set=1,opaque=disk", rw), "-add-fd", fmt.Sprintf("fd=%d,set=2", wo),
		"-add-fd", fmt.Sprintf("fd=%d,set=3", ro), "-add-fd", fmt.Sprintf("fd=%d,set=4", ro),
	}, launch.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer vm.Close()
	list := vm.Machine.Files.List()
	if len(list) != 4 || list[3].FDs[0].Opaque == nil || *list[3].FDs[0].Opaque != "disk" || list[0].FDs[0].Opaque != nil {
		t.Errorf("%+v", list)
	}
}
