package chardev

import (
	"bufio"
	"io"
	"net"
	"path/filepath"
	"slices"
	"testing"

	"github.com/backplane-vm/backplane/internal/sched"
)

// Yank disconnects the clients of a socket; the next is served again.
func TestYank(t *testing.T) {
	s := newSet(t)
	path := filepath.Join(t.TempDir(), "s")
	mustAdd(t, s, "null,id=n", "socket,id=s,server=on,wait=off,path="+path, "socket,id=t,server=on,wait=off,path="+path+"t")
	if got := s.Sockets(); !slices.Equal(got, []string{"s", "t"}) {
		t.Errorf("sockets: %v", got)
	}
	d, err := s.Use("s", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Serve(true, func(_ *sched.Thread, c Conn) { _, _ = io.Copy(c, c) }); err != nil {
		t.Fatal(err)
	}
	client := func() (echo func() error) {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		r := bufio.NewReader(c)
		return func() error {
			_, _ = c.Write([]byte("x\n"))
			_, err := r.ReadString('\n')
			return err
		}
	}
	a, b := client(), client()
	for _, ids := range [][]string{{"s", "nonesuch"}, {"s", "n"}} {
		if s.Yank(ids) {
			t.Errorf("%v was yanked", ids)
		}
	}
	for _, echo := range []func() error{a, b} {
		if err := echo(); err != nil {
			t.Fatal(err)
		}
	}
	if !s.Yank([]string{"t", "s"}) {
		t.Error("the sockets were not found")
	}
	for _, echo := range []func() error{a, b} {
		if err := echo(); err == nil {
			t.Error("still connected")
		}
	}
	if err := client()(); err != nil {
		t.Errorf("the next client: %v", err)
	}
}
