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
	"github.com/backplane-vm/backplane/qapi/qerr"
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
)

// monitorSuite is the part of [Suite] about monitors.
func monitorSuite() []Measurement {
	return []Measurement{
		{"query-status", "a round trip over a unix socket: of a bare line, and through a client",
			[]Row{{"query-status round trip", Nanoseconds}, {"  through a qmp.Client", Nanoseconds}}, roundTrip},
		{"argument", "the reply to a command with an argument of 100 KB",
			[]Row{{"command with a 100 KB argument", Nanoseconds}}, roundOf(longArgument)},
		{"schema", "query-qmp-schema, the first time and again",
			[]Row{{"query-qmp-schema, first", Nanoseconds}, {"query-qmp-schema", Nanoseconds}}, roundOf(schema)},
		{"rate", "query-status as fast as it goes, from one client and from eight",
			[]Row{{"commands per second, 1 client", PerSecond}, {"commands per second, 8 clients", PerSecond}}, rates},
		{"crowd", "query-status of 62 clients while one never reads and one has a command that waits for ever (in QEMU all would)",
			[]Row{{"query-status, 64 clients, median", Nanoseconds}, {"query-status, 64 clients, p99", Nanoseconds}}, crowd},
		{"bystander", "query-status of a client while another's device_add fails",
			[]Row{{"query-status beside device_add, p99", Nanoseconds}}, bystander},
	}
}

// roundTrip asks with bare lines first, which tells what the machine and the
// system take, and then through a client.
func roundTrip(ctx context.Context, e *Emulator) (samples [][]float64, err error) {
	err = monitorsOf(ctx, e, 1, func(p *Process, _ Port, dial func(int) (net.Conn, error)) error {
		conn, err := dial(0)
		if err != nil {
			return err
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		r := bufio.NewReader(conn)
		ask := func(line string) (Span, error) {
			span := Span{Asked: p.Clock()}
			_, err := conn.Write([]byte(line))
			if err == nil {
				_, err = r.ReadSlice('\n')
			}
			span.Answered = p.Clock()
			return span, err
		}
		if _, err := r.ReadSlice('\n'); err != nil { // the greeting
			return err
		}
		if _, err := ask(`{"execute": "qmp_capabilities"}`); err != nil {
			return err
		}
		bare, err := repeat(roundTrips, func(int) (Span, error) { return ask(`{"execute": "query-status"}`) })
		if err != nil {
			return err
		}
		through, err := repeat(roundTrips, func(int) (Span, error) { return p.QueryStatus(ctx) })
		samples = append(samples, bare...)
		samples = append(samples, through...)
		return err
	})
	return samples, err
}

// longArgument sends a very long argument, which the command refuses without
// repeating it.
func longArgument(ctx context.Context, p *Process, _ Port) ([][]float64, error) {
	args := qobject.Members("unexpected", strings.Repeat("x", argumentBytes))
	return repeat(arguments, func(int) (Span, error) {
		span, err := p.Execute(ctx, "query-status", args)
		var e *qerr.Error
		if errors.As(err, &e) {
			err = nil
		}
		return span, err
	})
}

func schema(ctx context.Context, p *Process, _ Port) ([][]float64, error) {
	samples, err := repeat(schemas, func(int) (Span, error) { return p.Execute(ctx, "query-qmp-schema", nil) })
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
			all[i], err = askNowAndThen(ctx, c, p.Clock, i)
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

// askNowAndThen is a client of a crowd, its number i.
func askNowAndThen(ctx context.Context, c *qmp.Client, clock Clock, i int) (samples []float64, err error) {
	w := sched.NewWorld()
	pause := w.NewParker()
	at := w.Now() + int64(i)*crowdPause/crowdClients // they do not ask all at once
	for range crowdAsks {
		at += crowdPause
		pause.Park(at)
		began := clock()
		if err := c.Execute(ctx, "query-status", nil, nil); err != nil {
			return nil, err
		}
		samples = append(samples, float64(clock()-began))
	}
	return samples, nil
}

// bystander has one client fail to add a device over and over while another
// asks.
func bystander(ctx context.Context, e *Emulator) (samples [][]float64, err error) {
	err = monitorsOf(ctx, e, 1, func(p *Process, port Port, dial func(int) (net.Conn, error)) error {
		clients, err := dialAll(ctx, 0, 1, dial)
		if err != nil {
			return err
		}
		defer closeAll(clients)
		fails, stop := context.WithCancel(ctx)
		var other sync.WaitGroup
		defer other.Wait()
		defer stop()
		other.Go(func() {
			for {
				if _, err := p.FailToAdd(fails, port.Bus); err != nil {
					return
				}
			}
		})
		asked, err := askNowAndThen(ctx, clients[0], p.Clock, 0)
		samples = [][]float64{{Quantile(asked, 0.99)}}
		return err
	})
	return samples, err
}
