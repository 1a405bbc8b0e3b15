package launch_test

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/launch"
)

// typist is the person at a machine's terminal, which is two pipes.
type typist struct {
	t   *testing.T
	in  *os.File
	out *bufio.Reader
	vm  *launch.VM
}

func sit(t *testing.T, args string) *typist {
	t.Helper()
	r1, w1, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r2, w2, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	vm, err := launch.New(strings.Fields(args), launch.Options{Terminal: chardev.Terminal{In: r1, Out: w2, Lease: new(chardev.Lease)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		vm.Close()
		for _, f := range []*os.File{r1, w1, r2, w2} {
			f.Close()
		}
		if live := vm.Machine.World.Live(); len(live) > 0 {
			t.Errorf("threads left: %v", live)
		}
	})
	if err := vm.Start(); err != nil {
		t.Fatal(err)
	}
	if err := r2.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return &typist{t, w1, bufio.NewReader(r2), vm}
}

// await presses keys and reads until the text has come; it returns what was read.
func (p *typist) await(keys, text string) string {
	p.t.Helper()
	if _, err := p.in.WriteString(keys); err != nil {
		p.t.Fatal(err)
	}
	var all strings.Builder
	for !strings.HasSuffix(all.String(), text) {
		b, err := p.out.ReadByte()
		if err != nil {
			p.t.Fatalf("after %q: %q, want %q: %v", keys, all.String(), text, err)
		}
		all.WriteByte(b)
	}
	return all.String()
}

// The console has the terminal first; the monitor's banner waits for its turn,
// and while the monitor has the terminal typing is the monitor's.
func TestConsoleAndMonitorShareTheTerminal(t *testing.T) {
	for name, args := range map[string]string{
		"nographic": "-nographic",
		"mon:stdio": "-display none -serial mon:stdio -monitor none",
		"mux=on":    "-display none -chardev stdio,id=c,mux=on -mon chardev=c -serial chardev:c",
	} {
		t.Run(name, func(t *testing.T) {
			p := sit(t, "-M virt -m 64 -kernel builtin:demo "+args)
			if got := p.await("", "ready"); strings.Contains(got, "monitor") {
				t.Errorf("the monitor spoke out of turn: %q", got)
			}
			p.await("", "\n") // from here on the guest is silent
			p.await("\x01h", "C-a C-a  sends C-a\r\n")
			p.await("\x01c", "QEMU 10.0.2 monitor - type 'help' for more information\r\n(qemu) ")
			p.await("info status\r", "VM status: running\r\n(qemu) ")
			if got := p.await("info chardev\r", "(qemu) "); !strings.Contains(got, ": filename=mux\r\n") || !strings.Contains(got, "-base: filename=stdio\r\n") {
				t.Errorf("%q", got)
			}
			// What is typed before Ctrl-A c is the monitor's, though the focus
			// is gone before it has been worked off.
			p.await("stop\r\x01c\x01c", "\r\n(qemu) ")
			p.await("info status\r", "VM status: paused\r\n(qemu) ")
			p.await("\x01x", "QEMU: Terminated\n\r")
			<-p.vm.Machine.ShutdownRequested()
		})
	}
}

// With a QMP monitor elsewhere -nographic leaves the terminal to the console.
func TestNographicBesideAMonitor(t *testing.T) {
	p := sit(t, "-M virt -m 64 -kernel builtin:demo -nographic -qmp null")
	p.await("\x01c", "ready") // no escape, a key like others
}

func TestMuxRefusals(t *testing.T) {
	for args, want := range map[string]string{
		"-chardev null,id=c,mux=on -serial chardev:c" + strings.Repeat(" -mon chardev=c", 4): "-serial chardev:c: too many uses of multiplexed chardev 'c' (maximum is 4)",
		"-chardev null,id=c -serial chardev:c -mon chardev=c":                                "-mon chardev=c: chardev 'c' is already in use",
		"-chardev null,id=c,mux=on -chardev null,id=c":                                       "-chardev null,id=c: Chardev with id 'c' already exists",
		"-serial mon:stdio": "-serial mon:stdio: stdio is not available to this machine",
	} {
		_, err := launch.New(strings.Fields(args), launch.Options{})
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
