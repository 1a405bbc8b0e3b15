package measure

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// Sizes of the rounds in this file; see those of suite.go.
const (
	argumentBytes = 100_000
	arguments     = 20
	schemas       = 20
	rateClients   = 8
	rateCommands  = 2000 // all clients together

	// A crowd is many clients that ask now and then, as those of management do.
	crowdClients = 64
	crowdAsks    = 100        // of each
	crowdPause   = 10_000_000 // nanoseconds between two of them

	// A bystander asks often enough that its 99th percentile is not its worst.
	bystanderAsks  = 500
	bystanderPause = 2_000_000
)

// monitorSuite is the part of [Suite] about monitors.
func monitorSuite() []Measurement {
	return []Measurement{
		{"query-status", "a round trip over a unix socket: of a line, and through a client",
			[]Row{{"query-status round trip", Nanoseconds}, {"  through a qmp.Client", Nanoseconds}}, lines(roundTrip)},
		{"argument", "the reply to a command with an argument of 100 KB",
			[]Row{{"command with a 100 KB argument", Nanoseconds}}, lines(longArgument)},
		{"schema", "query-qmp-schema, the first time and again",
			[]Row{{"query-qmp-schema, first", Nanoseconds}, {"query-qmp-schema", Nanoseconds}}, lines(schema)},
		{"rate", "query-status as fast as it goes, from one client and from eight",
			[]Row{{"commands per second, 1 client", PerSecond}, {"commands per second, 8 clients", PerSecond}}, rates},
		{"crowd", "query-status of 62 clients while one never reads and one has a command that waits for ever (in QEMU all would)",
			[]Row{{"query-status, 64 clients, median", Nanoseconds}, {"query-status, 64 clients, p99", Nanoseconds}}, crowd},
		{"bystander", "query-status of a client while another's query-status succeeds over and over, then while its device_add fails",
			[]Row{{"query-status beside its like, p99", Nanoseconds}, {"query-status beside device_add, p99", Nanoseconds}}, bystander},
	}
}

// A lineClient asks with lines and looks for their ends only, so that what it
// measures is the machine and the system, and no reading of JSON.
type lineClient struct {
	conn  net.Conn
	r     *bufio.Reader
	clock Clock
}

// replyMax is more than the largest reply that a lineClient asks for.
const replyMax = 4 << 20

// newLineClient negotiates on conn. It asks nothing that events come of.
func newLineClient(conn net.Conn, clock Clock) (*lineClient, error) {
	c := &lineClient{conn, bufio.NewReaderSize(conn, replyMax), clock}
	if _, err := c.r.ReadSlice('\n'); err != nil { // the greeting
		return nil, err
	}
	_, err := c.ask([]byte(`{"execute": "qmp_capabilities"}`))
	return c, err
}

func (c *lineClient) ask(line []byte) (Span, error) {
	span := Span{Asked: c.clock()}
	_, err := c.conn.Write(line)
	if err == nil {
		_, err = c.r.ReadSlice('\n')
	}
	span.Answered = c.clock()
	return span, err
}

// lines makes a round of a function that asks with lines.
func lines(f func(ctx context.Context, p *Process, c *lineClient) ([][]float64, error)) func(context.Context, *Emulator) ([][]float64, error) {
	return func(ctx context.Context, e *Emulator) (samples [][]float64, err error) {
		err = monitorsOf(ctx, e, 1, func(p *Process, _ Port, dial func(int) (net.Conn, error)) error {
			conn, err := dial(0)
			if err != nil {
				return err
			}
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			c, err := newLineClient(conn, p.Clock)
			if err == nil {
				samples, err = f(ctx, p, c)
			}
			return err
		})
		return samples, err
	}
}

// roundTrip asks with lines first, and then through a client.
func roundTrip(ctx context.Context, p *Process, c *lineClient) ([][]float64, error) {
	line := []byte(`{"execute": "query-status"}`)
	bare, err := repeat(roundTrips, func(int) (Span, error) { return c.ask(line) })
	if err != nil {
		return nil, err
	}
	through, err := repeat(roundTrips, func(int) (Span, error) { return p.QueryStatus(ctx) })
	return append(bare, through...), err
}

// longArgument sends a very long argument, which the command refuses without
// repeating it.
func longArgument(_ context.Context, _ *Process, c *lineClient) ([][]float64, error) {
	line := []byte(`{"execute": "query-status", "arguments": {"unexpected": "` + strings.Repeat("x", argumentBytes) + `"}}`)
	return repeat(arguments, func(int) (Span, error) { return c.ask(line) })
}

func schema(_ context.Context, _ *Process, c *lineClient) ([][]float64, error) {
	line := []byte(`{"execute": "query-qmp-schema"}`)
	samples, err := repeat(schemas, func(int) (Span, error) { return c.ask(line) })
	if err != nil {
		return nil, err
	}
	return [][]float64{samples[0][:1], samples[0][1:]}, nil
}

// monitorsOf runs f on a machine whose guest is up, with n clients on sockets
// of their own.
func monitorsOf(ctx context.Context, e *Emulator, n int, f func(p *Process, port Port, dial func(i int) (net.Conn, error)) error) error {
	dir, err := os.MkdirTemp(e.Dir, "")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	port, flags := OnePort()
	path := func(i int) string { return filepath.Join(dir, fmt.Sprintf("m%d", i)) }
	for i := range n {
		flags = append(flags, "-chardev", fmt.Sprintf("socket,id=m%d,path=%s,server=on,wait=off", i, path(i)),
			"-mon", fmt.Sprintf("chardev=m%d,mode=control", i))
	}
	return e.with(ctx, flags, func(p *Process) error {
		if _, err := p.Log.Ready(ctx); err != nil {
			return err
		}
		return f(p, port, func(i int) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path(i))
		})
	})
}

// dialAll makes clients of monitors from to below to.
func dialAll(ctx context.Context, from, to int, dial func(int) (net.Conn, error)) (clients []*qmp.Client, err error) {
	for i := from; i < to && err == nil; i++ {
		var conn net.Conn
		if conn, err = dial(i); err != nil {
			break
		}
		var c *qmp.Client
		if c, err = qmp.NewClient(ctx, conn); err == nil {
			clients = append(clients, c)
		}
	}
	if err != nil {
		closeAll(clients)
	}
	return clients, err
}

func closeAll(clients []*qmp.Client) {
	for _, c := range clients {
		c.Close()
	}
}

// everyone calls f for each client at once and returns the first error.
func everyone(clients []*qmp.Client, f func(i int, c *qmp.Client) error) error {
	errs := make([]error, len(clients))
	var all sync.WaitGroup
	for i, c := range clients {
		all.Go(func() { errs[i] = f(i, c) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func rates(ctx context.Context, e *Emulator) (samples [][]float64, err error) {
	err = monitorsOf(ctx, e, rateClients, func(p *Process, _ Port, dial func(int) (net.Conn, error)) error {
		clients, err := dialAll(ctx, 0, rateClients, dial)
		if err != nil {
			return err
		}
		defer closeAll(clients)
		for _, n := range []int{1, rateClients} {
			began := p.Clock()
			err := everyone(clients[:n], func(_ int, c *qmp.Client) error {
				for range rateCommands / n {
					if err := c.Execute(ctx, "query-status", nil, nil); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			samples = append(samples, []float64{rateCommands / (float64(p.Clock()-began) / 1e9)})
		}
		return nil
	})
	return samples, err
}

// crowd measures clients among which one never reads, and, if that is fair to
// ask of the emulator, one has a command that waits for ever.
func crowd(ctx context.Context, e *Emulator) (samples [][]float64, err error) {
	err = monitorsOf(ctx, e, crowdClients-1, func(p *Process, _ Port, dial func(int) (net.Conn, error)) error {
		sleeper, err := dial(0)
		if err != nil {
			return err
		}
		defer sleeper.Close()
		var others sync.WaitGroup
		defer others.Wait()
		defer sleeper.Close() // ends its writing
		others.Go(func() {
			_, _ = sleeper.Write([]byte(`{"execute": "qmp_capabilities"}` + strings.Repeat(`{"execute": "query-qmp-schema"}`, 1000)))
		})
		clients, err := dialAll(ctx, 1, crowdClients-1, dial)
		if err != nil {
			return err
		}
		defer closeAll(clients)
		if e.Patient {
			others.Go(func() { _, _ = p.Execute(ctx, "chardev-add", forever(e.Dir)) })
			defer func() {
				_ = clients[0].Execute(ctx, "chardev-remove", map[string]string{"id": "forever"}, nil) // and the wait ends
			}()
		}
		all := make([][]float64, len(clients))
		err = everyone(clients, func(i int, c *qmp.Client) (err error) {
			all[i], err = askNowAndThen(ctx, c, p.Clock, crowdAsks, crowdPause, int64(i)*crowdPause/crowdClients) // not all at once
			return err
		})
		var flat []float64
		for _, s := range all {
			flat = append(flat, s...)
		}
		samples = [][]float64{{Quantile(flat, 0.5)}, {Quantile(flat, 0.99)}}
		return err
	})
	return samples, err
}

// forever are the arguments of a chardev-add that waits for a client which
// never comes.
func forever(dir string) *qobject.Dict {
	address := qobject.Members("type", "unix", "data", qobject.Members("path", filepath.Join(dir, "nobody")))
	return qobject.Members("id", "forever", "backend", qobject.Members("type", "socket",
		"data", qobject.Members("addr", address, "server", true, "wait", true)))
}

// askNowAndThen is a client that asks so many times, every pause nanoseconds, the
// first time after delay.
func askNowAndThen(ctx context.Context, c *qmp.Client, clock Clock, asks int, pause, delay int64) (samples []float64, err error) {
	w := sched.NewWorld()
	sleep := w.NewParker()
	at := w.Now() + delay
	for range asks {
		at += pause
		sleep.Park(at)
		began := clock()
		if err := c.Execute(ctx, "query-status", nil, nil); err != nil {
			return nil, err
		}
		samples = append(samples, float64(clock()-began))
	}
	return samples, nil
}

// bystander has one client ask over and over, then fail to add a device over
// and over, while another asks now and then. What a command makes others wait is
// what the second figure has above the first, which is the host's.
func bystander(ctx context.Context, e *Emulator) (samples [][]float64, err error) {
	err = monitorsOf(ctx, e, 1, func(p *Process, port Port, dial func(int) (net.Conn, error)) error {
		clients, err := dialAll(ctx, 0, 1, dial)
		if err != nil {
			return err
		}
		defer closeAll(clients)
		for _, busy := range []func(context.Context) (Span, error){
			p.QueryStatus,
			func(ctx context.Context) (Span, error) { return p.FailToAdd(ctx, port.Bus) },
		} {
			asked, err := beside(ctx, busy, p.Clock, clients[0])
			if err != nil {
				return err
			}
			samples = append(samples, []float64{Quantile(asked, 0.99)})
		}
		return nil
	})
	return samples, err
}

// beside has c ask now and then while busy is done over and over.
func beside(ctx context.Context, busy func(context.Context) (Span, error), clock Clock, c *qmp.Client) ([]float64, error) {
	ctx, stop := context.WithCancel(ctx)
	var other sync.WaitGroup
	defer other.Wait()
	defer stop()
	other.Go(func() {
		for {
			if _, err := busy(ctx); err != nil {
				return
			}
		}
	})
	return askNowAndThen(ctx, c, clock, bystanderAsks, bystanderPause, 0)
}
