package e2e

import (
	"strings"
	"testing"
)

// Nothing is run after quit, as in QEMU: what a client has sent behind it, or
// sends until the end, is not answered.
func TestQuitIsLast(t *testing.T) {
	p := newProcess(t, "-M", "virt", "-m", "32", "-display", "none", "-S", "-qmp", "unix:DIR/qmp,server=on,wait=off")
	p.start()
	p.until("the monitor listens", func() bool { return p.exists("qmp") })
	c := dialLines(t, p.path("qmp"))
	var text strings.Builder
	for _, command := range []string{"qmp_capabilities", "query-name", "quit", "query-name", "cont", "nonesuch"} {
		text.WriteString(`{"execute": "` + command + `", "id": "` + command + `"}`)
	}
	if err := c.write(text.String()); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for {
		line, err := c.read()
		if err != nil {
			break
		}
		if _, id, ok := strings.Cut(line, `"id": "`); ok {
			ids = append(ids, id[:strings.IndexByte(id, '"')])
		}
	}
	if got, want := strings.Join(ids, " "), "qmp_capabilities query-name quit"; got != want {
		t.Errorf("answered: %s, want %s", got, want)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
}
