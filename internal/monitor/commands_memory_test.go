package monitor_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qapi/api"
)

// TestDumpDTB: the tree takes the place of what was there, be it a pipe that
// nobody reads, and what cannot be replaced stays as it was.
func TestDumpDTB(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := api.Client{Executor: start(t, 0).qmp(ctx)}
	dir := t.TempDir()
	pipe, folder := filepath.Join(dir, "pipe"), filepath.Join(dir, "folder")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := c.Dumpdtb(ctx, &api.DumpdtbArgs{Filename: pipe}); err != nil {
		t.Fatal(err)
	}
	if tree, err := os.ReadFile(pipe); err != nil || !strings.HasPrefix(string(tree), "\xd0\x0d\xfe\xed") {
		t.Errorf("%d bytes, %v", len(tree), err)
	}
	for name, want := range map[string]string{
		folder:                      `Error saving FDT to file FILE: Failed to rename file “FILE\.\w{6}” to “FILE”: g_rename\(\) failed: Is a directory`,
		filepath.Join(dir, "no/x"):  `Error saving FDT to file FILE: Failed to create file “FILE\.\w{6}”: No such file or directory`,
		filepath.Join(pipe, "file"): `Error saving FDT to file FILE: Failed to create file “FILE\.\w{6}”: Not a directory`,
	} {
		err := c.Dumpdtb(ctx, &api.DumpdtbArgs{Filename: name})
		pattern := "^dumpdtb: " + strings.ReplaceAll(want, "FILE", regexp.QuoteMeta(name)) + "$"
		if err == nil || !regexp.MustCompile(pattern).MatchString(err.Error()) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 2 {
		t.Errorf("%v, %v", left, err)
	}
}
