package torture

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// TestCrowd has 16 clients at one machine, among them one that never reads,
// one that sends garbage and one that leaves wherever it is. The others must
// not notice.
func TestCrowd(t *testing.T) {
	const plain = 13 // with the three strange ones: 16
	turns := 8
	if raceDetector { // where there is time
		turns = 25
	}
	var flags []string
	for i := range plain {
		flags = append(flags, "-device", fmt.Sprintf("pcie-root-port,id=rp%d,chassis=%d", i, i+1))
	}
	r := &round{rig: newRig(t, flags...)}
	r.observer = r.client()
	calm := r.connections()
	stop := make(chan struct{})
	var strange, good sync.WaitGroup
	for _, f := range []func(stop <-chan struct{}){r.deaf, r.babble, r.flit} {
		strange.Go(func() { f(stop) })
	}
	failures := make([]error, plain)
	for i := range plain {
		c := r.client()
		good.Go(func() {
			failures[i] = r.behave(c, i, turns)
			c.Close()
		})
	}
	good.Wait()
	close(stop)
	strange.Wait()
	for _, err := range failures {
		r.check(err)
	}
	r.calm = calm
	r.settle()
	r.auditTree(plain)
	r.judgeGuest()
}

// behave is what an ordinary client does: it asks, plugs and unplugs.
func (r *round) behave(c *qmp.Client, n, turns int) error {
	rnd := rand.New(rand.NewPCG(uint64(n), 16))
	id, port := fmt.Sprintf("rng%d", n), fmt.Sprintf("rp%d", n)
	for turn := range turns {
		var err error
		switch rnd.IntN(3) {
		case 0:
			var status struct{ Running bool }
			if err = c.Execute(r.ctx, "query-status", nil, &status); err == nil && !status.Running {
				err = fmt.Errorf("the machine does not run")
			}
		case 1:
			var text string
			err = c.Execute(r.ctx, "human-monitor-command", qobject.Members("command-line", "info pci"), &text)
			if err == nil && !strings.Contains(text, "Host bridge") {
				err = fmt.Errorf("info pci says %q", text)
			}
		case 2:
			since := c.Events().Cursor()
			if err = plug(r.ctx, c, "virtio-rng-pci", id, "bus", port); err == nil {
				err = remove(r.ctx, c, since, id)
			}
		}
		if err != nil {
			return fmt.Errorf("client %d, turn %d: %w", n, turn, err)
		}
	}
	return nil
}

// dial connects as a stranger does, and again if there is a queue.
func (r *round) dial() net.Conn {
	var d net.Dialer
	conn, err := d.DialContext(r.ctx, "unix", r.sock)
	for errors.Is(err, syscall.EAGAIN) {
		conn, err = d.DialContext(r.ctx, "unix", r.sock)
	}
	if err != nil {
		r.Error(err)
		return nil
	}
	return conn
}

// deaf asks for long answers and never reads one.
func (r *round) deaf(stop <-chan struct{}) {
	conn := r.dial()
	if conn == nil {
		return
	}
	defer conn.Close()
	var asking sync.WaitGroup
	asking.Go(func() { // blocks when the machine has had enough of it
		_, err := conn.Write([]byte(`{"execute": "qmp_capabilities"}` + strings.Repeat(`{"execute": "query-qmp-schema"}`, 50)))
		for err == nil {
			_, err = conn.Write([]byte(`{"execute": "query-status"}`))
		}
	})
	<-stop
	conn.Close()
	asking.Wait()
}

// babble sends what is no QMP, and reads what it is told.
func (r *round) babble(stop <-chan struct{}) {
	conn := r.dial()
	if conn == nil {
		return
	}
	defer conn.Close()
	var reading sync.WaitGroup
	reading.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	})
	rnd := rand.New(rand.NewPCG(16, 16))
	pieces := []string{"{", "}", "[", `"`, `{"execute": "`, `qmp_capabilities"}`, "\xff", "\x00", "nonsense", `{"execute": "device_add"}`,
		`{"execute": 5}`, strings.Repeat("[", 2000), `'`, "\n", `{"arguments": {}}`, `1e999`, `"\ud800"`}
	for !stopped(stop) {
		var b strings.Builder
		for range 1 + rnd.IntN(20) {
			b.WriteString(pieces[rnd.IntN(len(pieces))])
		}
		if _, err := conn.Write([]byte(b.String())); err != nil {
			r.Errorf("garbage: %v", err)
			break
		}
	}
	conn.Close()
	reading.Wait()
}

// flit connects, says part of something and leaves, over and over.
func (r *round) flit(stop <-chan struct{}) {
	text := "{\"execute\": \"qmp_capabilities\"}\n" + strings.Repeat("{\"execute\": \"query-pci\"}\n", 5) +
		`{"execute": "human-monitor-command", "arguments": {"command-line": "info qtree"}}`
	rnd := rand.New(rand.NewPCG(3, 16))
	for !stopped(stop) {
		conn := r.dial()
		if conn == nil {
			return
		}
		_, _ = conn.Write([]byte(text[:rnd.IntN(len(text)+1)]))
		conn.Close()
	}
}

func stopped(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// auditTree looks whether nothing but that many ports is plugged.
func (r *round) auditTree(ports int) {
	var children []struct{ Name, Type string }
	r.check(r.observer.Execute(r.ctx, "qom-list", qobject.Members("path", "/machine/peripheral"), &children))
	if len(children) != 1+ports {
		r.Errorf("left in /machine/peripheral: %v", children)
	}
}
