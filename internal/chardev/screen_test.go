package chardev

import (
	"fmt"
	"io"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/backplane-vm/backplane/internal/sched"
)

// TestColumns: a pseudo terminal is as wide as its other side says, and so is one
// that is shared; a file has no width.
func TestColumns(t *testing.T) {
	s := newSet(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	tell := func(_ *sched.Thread, conn Conn) {
		buf := make([]byte, 1)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
			fmt.Fprintf(conn, "%3d", conn.(Screen).Columns())
		}
	}
	for _, label := range []string{"pty", "shared"} {
		name, err := s.Add(t.Context(), Config{Label: label, Backend: "pty", Mux: label == "shared", Address: Address{FD: NoFD}})
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Use(label, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Serve(false, tell); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []uint16{0, 132, 40} {
			if err := unix.IoctlSetWinsize(int(f.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 25, Col: want}); err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString("x"); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, 3)
			if _, err := io.ReadFull(f, got); err != nil || string(got) != fmt.Sprintf("%3d", want) {
				t.Errorf("%s: %q, %v; want %d", label, got, err, want)
			}
		}
		f.Close()
	}
	file, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if n := columns(file); n != 0 {
		t.Errorf("a file is %d wide", n)
	}
}
