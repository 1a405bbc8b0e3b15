// Package monitor is the machine's management plane at run time: QMP and HMP
// clients, the contexts in which their commands run, events, and the commands
// themselves over internal/machine.
//
// # Where a command runs
//
//   - An ordinary command: in a bottom half of the iohandler context, under the
//     BQL. Nested polls do not serve that context, so a command never runs in
//     the middle of a device's emulation.
//   - A coroutine command: in a coroutine of the iohandler context, for the
//     same reason. It may yield; it never polls and never drops the BQL. For the
//     time in which others may wait for it (block_resize has a request in
//     flight) it moves to the main context, so that whoever waits there brings
//     it to its end.
//   - An out-of-band command: at once, on the thread that reads its client,
//     without the BQL.
//   - A command that only asks (query-status), with nothing of its client's
//     before it: on that thread too, under the BQL. Nobody gives the BQL up
//     within a nested poll, so it sees what it would see in the iohandler
//     context, two hand-overs between threads sooner.
//
// Each client has a dispatcher of its own, so one client's slow command holds
// up neither another client's commands nor anybody's greeting, events or
// out-of-band commands.
//
// # Threads and locks
//
// A client has a reader thread, lent by whoever accepted it, and a writer
// thread, which has what a socket does not take at once; they end with the
// client. A client that does not read is not read from; see output. A Set's mutex comes before a client's; both after the BQL, and
// neither is held while a command runs or anything blocks.
package monitor

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/backplane-vm/backplane/coro"
	"github.com/backplane-vm/backplane/hmp"
	"github.com/backplane-vm/backplane/internal/chardev"
	"github.com/backplane-vm/backplane/internal/machine"
	"github.com/backplane-vm/backplane/internal/sched"
	"github.com/backplane-vm/backplane/qapi/api"
	"github.com/backplane-vm/backplane/qmp"
)

// Config is what a Set needs besides the machine.
type Config struct {
	// Version is what query-version and greetings say.
	Version qmp.Version
	// Chardevs are the character devices; nil makes a Set that has none yet and
	// ends with the monitors.
	Chardevs *chardev.Set
	// Options is the answer of query-command-line-options.
	Options []api.CommandLineOptionInfo
	// Extra are commands besides the schema's, and ExtraHuman handlers of
	// standard human commands that this machine does not have; they are for
	// scenarios.
	Extra      []qmp.Command[*coro.Co]
	ExtraHuman hmp.Handlers[*coro.Co]
	// Policy is the order of contexts; "" means Ours.
	Policy Policy
}

// A Set is all monitors of one machine.
type Set struct {
	m        *machine.Machine
	config   Config
	version  qmp.Version
	policy   Policy
	commands *qmp.Registry[*coro.Co]
	human    func() *hmp.Table[*coro.Co]
	formats  *hmp.FormatDefaults // BQL; shared by all human monitors, as in QEMU

	ownChardevs bool // config came without

	ctx    context.Context // ends with the Set
	cancel context.CancelFunc

	over     atomic.Bool                 // the machine ends: no further command of QMP clients is run
	events   *throttle                   // BQL
	attached map[string]*chardev.Chardev // of x-monitor-add; BQL

	asks sched.Mutex // held by the client that asks; taken before the BQL

	mu      sched.Mutex
	served  int      // clients so far, for their labels; guarded by mu, as the rest
	clients []client // in order of arrival, which is that in which they hear of things
	closed  bool
}

// client is a qmpClient or an hmpClient.
type client interface {
	close()          // take no more; finish the output once no command runs
	output() *output // where its replies go
	state() api.XStallsMonitor
}

func (c *qmpClient) output() *output { return c.out }
func (c *hmpClient) output() *output { return c.out }

// New returns a Set for m and starts to listen to its events. It is for use
// before the machine starts.
func New(m *machine.Machine, c Config) (*Set, error) {
	s := &Set{
		m: m, config: c, version: c.Version, policy: c.Policy,
		formats: hmp.NewFormatDefaults(),
	}
	if s.config.Chardevs == nil {
		s.config.Chardevs = chardev.NewSet(m.World, chardev.SetConfig{Host: chardev.Host{Files: m.Files, Objects: SocketObjects(m)}, Exit: func() {}, Inform: m.Warn})
		s.ownChardevs = true
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.attached = make(map[string]*chardev.Chardev)
	if s.policy == "" {
		s.policy = Ours
	}
	m.BQL.SetStrict(s.policy == Ours)
	m.Blocks.SetNested(s.policy != Ours)
	s.mu.Init(m.World, "monitors")
	s.asks.Init(m.World, "questions")
	if err := s.bindCommands(); err != nil {
		return nil, err
	}
	s.events = newThrottle(m.Loop.IOHandler, m.Realtime, s.tell)
	m.Observe(s.event)
	return s, nil
}

// join notes a client that is about to be served; false means that the set is
// closed.
func (s *Set) join(c client) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	switch c := c.(type) {
	case *qmpClient:
		c.label = fmt.Sprintf("qmp%d", s.served)
	case *hmpClient:
		c.label = fmt.Sprintf("hmp%d", s.served)
	}
	s.served++
	s.clients = append(s.clients, c)
	return true
}

func (s *Set) leave(c client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients = slices.DeleteFunc(s.clients, func(o client) bool { return o == c })
}

// ServeQMP talks QMP to the client at conn until either side ends it, and
// closes conn. It blocks; the caller lends it a thread of its own.
func (s *Set) ServeQMP(conn io.ReadWriteCloser, pretty bool) { s.serveQMP(conn, pretty, "") }

// ServeHMP is ServeQMP for a human monitor. If conn also has chardev.Shared's
// ReadTurn the monitor is silent while others have the terminal.
func (s *Set) ServeHMP(conn io.ReadWriteCloser) { s.serveHMP(conn) }

// each calls f for the QMP clients that are there now.
func (s *Set) each(f func(*qmpClient)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clients {
		if q, ok := c.(*qmpClient); ok {
			f(q)
		}
	}
}

// versionText is the version as banners show it.
func (s *Set) versionText() string {
	return fmt.Sprintf("%d.%d.%d", s.version.Major, s.version.Minor, s.version.Micro)
}

// Close disconnects all clients: each gets what it was sent, and a command in
// work is finished first, within a time limit. It blocks until then; what is
// left of a client ends with the machine. The caller holds no lock, and the
// machine's loop still runs.
func (s *Set) Close() {
	s.mu.Lock()
	s.closed = true
	clients := slices.Clone(s.clients)
	s.mu.Unlock()
	for _, c := range clients {
		c.close()
	}
	deadline := s.m.World.Now() + int64(flushTime)
	for _, c := range clients {
		c.output().waitUntil(deadline)
	}
	s.cancel()
	if s.ownChardevs {
		s.config.Chardevs.Close()
	}
}

// untilClose returns f, whose writes do not wait any longer once the Set is
// closed: a pipe that nobody reads is not to keep the machine from ending.
func (s *Set) untilClose(f outlet) outlet {
	return &ending{f, context.AfterFunc(s.ctx, func() { _ = f.SetWriteDeadline(time.Unix(1, 0)) })}
}

// ending is a file that ends with a Set.
type ending struct {
	outlet
	stop func() bool
}

func (e *ending) Close() error {
	e.stop()
	return e.outlet.Close()
}
