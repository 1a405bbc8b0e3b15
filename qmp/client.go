package qmp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"

	"github.com/backplane-vm/backplane/qapi/qobject"
)

// ErrClosed is what a [Client] that was closed, or whose server has gone,
// answers. The error returned may say more; it matches with errors.Is.
var ErrClosed = errors.New("qmp: connection closed")

// Client is a connection to a QMP server, such as backplane or QEMU. Any
// number of goroutines may use it at once; replies find their callers by id.
//
// A server reads ahead only so far (see [Backlog]). So that an out-of-band
// command is always read, at most MaxQueue others are under way at a time, and
// further callers wait their turn. A call given up by its context keeps its
// place until the server has answered.
//
// A Client runs two goroutines, one that reads and one that writes what a
// socket does not take at once; both are gone when Close returns.
type Client struct {
	conn     io.ReadWriteCloser
	events   *EventLog
	greeting *qobject.Dict // set before greeted is closed, constant since
	greeted  chan struct{}
	oob      bool // set before NewClient returns, constant since

	outgoing chan message // lines for the writer; as large as the places are many
	sender   *sender
	inBand   chan struct{} // places for commands under way
	outBand  chan struct{} // the same for out-of-band commands
	// filesTurn is the one place of commands with files.
	filesTurn chan struct{}

	mu      sync.Mutex
	pending map[int64]*pendingCall
	lastID  int64
	failure error // why the connection is gone

	done       chan struct{} // closed with failure set
	goroutines sync.WaitGroup
}

// A pendingCall waits for the reply with its id. The reader takes it from
// Client.pending, gives its place back, and puts the reply where the caller
// finds it, whether or not there still is one.
type pendingCall struct {
	reply *qobject.Dict // set before came is closed, constant since
	came  chan struct{}
	place chan struct{}
	turn  chan struct{} // nil without files
}

// answered gives back what the call had to wait for.
func (p *pendingCall) answered() {
	<-p.place
	if p.turn != nil {
		<-p.turn
	}
}

// A request is how a command is to be sent.
type request struct {
	verb  string
	place chan struct{}
	turn  chan struct{} // filesTurn if it has files, else nil
	files []*os.File    // closed when they have been sent
}

// Dial connects to a QMP server, as net.Dialer does, and negotiates: see
// [NewClient]. [DialTLS] does it over TLS.
func Dial(ctx context.Context, network, address string) (*Client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("qmp: %w", err)
	}
	return NewClient(ctx, conn)
}

// DialTLS is [Dial] for a server that talks TLS, such as a character device with
// tls-creds. config is as for tls.Client; without a ServerName it gets the
// address's host. It may be nil for a server whose certificate the host trusts
// and that does not ask for one.
//
// A server that does not like the client's certificate may say so only after the
// handshake; the error is then that of the negotiation.
func DialTLS(ctx context.Context, network, address string, config *tls.Config) (*Client, error) {
	d := tls.Dialer{Config: config}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("qmp: %w", err)
	}
	return NewClient(ctx, conn)
}

// NewClient waits for the server's greeting on conn and leaves negotiation
// mode, with out-of-band execution if that is offered. ctx is for the
// negotiation only. conn belongs to the Client from now on, also when NewClient
// fails; its Close must make a pending Read and Write return.
func NewClient(ctx context.Context, conn io.ReadWriteCloser) (*Client, error) {
	c := newClient(conn)
	c.goroutines.Go(c.read)
	c.goroutines.Go(c.write)
	if err := c.negotiate(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// newClient returns a client that does nothing yet.
func newClient(conn io.ReadWriteCloser) *Client {
	return &Client{
		conn:      conn,
		events:    newEventLog(),
		greeted:   make(chan struct{}),
		outgoing:  make(chan message, 2*MaxQueue),
		inBand:    make(chan struct{}, MaxQueue),
		outBand:   make(chan struct{}, MaxQueue),
		filesTurn: make(chan struct{}, 1),
		pending:   map[int64]*pendingCall{},
		done:      make(chan struct{}),
		sender:    newSender(conn),
	}
}

func (c *Client) negotiate(ctx context.Context) error {
	select {
	case <-c.greeted:
	case <-c.done:
		select {
		case <-c.greeted: // and what it said tells more than that it hung up
		default:
			return c.Err()
		}
	case <-ctx.Done():
		return fmt.Errorf("qmp: waiting for the greeting: %w", context.Cause(ctx))
	}
	var offer struct{ Capabilities []string }
	if err := qobject.Decode(c.greeting, &offer); err != nil {
		return fmt.Errorf("qmp: greeting: %w", err)
	}
	var args map[string]any
	c.oob = slices.Contains(offer.Capabilities, capOOB)
	if c.oob {
		args = map[string]any{"enable": []string{capOOB}}
	}
	return c.Execute(ctx, CapabilitiesName, args, nil)
}

// Greeting returns what the server said first, the value of member "QMP". The
// caller must not change it.
func (c *Client) Greeting() *qobject.Dict { return c.greeting }

// Version returns the server's version, as far as its greeting tells.
func (c *Client) Version() Version {
	var said struct {
		Version struct {
			QEMU    struct{ Major, Minor, Micro int64 }
			Package string
		}
	}
	if err := qobject.Decode(c.greeting, &said); err != nil {
		return Version{}
	}
	q := said.Version.QEMU
	return Version{q.Major, q.Minor, q.Micro, said.Version.Package}
}

// OOB tells whether out-of-band execution was offered and is switched on.
func (c *Client) OOB() bool { return c.oob }

// Events returns the log of the events received.
func (c *Client) Events() *EventLog { return c.events }

// WaitEvent is Events().Wait.
func (c *Client) WaitEvent(ctx context.Context, cursor Cursor, match func(Received) bool) (Received, error) {
	return c.events.Wait(ctx, cursor, match)
}

// An Executor runs a server's commands: a [Client], or its out-of-band side.
type Executor interface {
	// Execute is [Client.Execute].
	Execute(ctx context.Context, command string, args, result any) error
}

// OutOfBand returns what runs commands by ExecuteOOB.
func (c *Client) OutOfBand() Executor { return outOfBand{c} }

type outOfBand struct{ c *Client }

func (o outOfBand) Execute(ctx context.Context, command string, args, result any) error {
	return o.c.ExecuteOOB(ctx, command, args, result)
}

// Execute runs a command and waits for its reply. args is nil or something
// that [qobject.From] makes an object of. The result is stored in what result
// points to, by [qobject.Decode]; a nil result is for commands without one, or
// whose result does not matter.
//
// An error reply comes as the server's *[qerr.Error] wrapped in the command's
// name. When ctx ends Execute returns, but the server may still run the
// command.
func (c *Client) Execute(ctx context.Context, command string, args, result any) error {
	return c.call(ctx, request{verb: "execute", place: c.inBand}, command, args, result)
}

// ExecuteOOB is Execute past the commands under way. It fails if the server
// does not offer that, and for most commands.
func (c *Client) ExecuteOOB(ctx context.Context, command string, args, result any) error {
	if !c.oob {
		return fmt.Errorf("%s: the server does not offer out-of-band execution", command)
	}
	return c.call(ctx, request{verb: "exec-oob", place: c.outBand}, command, args, result)
}

func (c *Client) call(ctx context.Context, r request, command string, args, result any) error {
	v, err := c.roundTrip(ctx, r, command, args)
	if err == nil && result != nil {
		err = qobject.Decode(v, result)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", command, err)
	}
	return nil
}

// roundTrip sends a command and returns what its reply holds.
func (c *Client) roundTrip(ctx context.Context, r request, command string, args any) (any, error) {
	sent := false
	defer func() {
		if !sent {
			closeFiles(r.files)
		}
	}()
	arguments, err := qobject.From(args)
	if err != nil {
		return nil, err
	}
	if kind := qobject.KindOf(arguments); kind != qobject.Null && kind != qobject.Object {
		return nil, fmt.Errorf("arguments are a %s and not an object", kind)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := c.admit(ctx, r); err != nil {
		return nil, err
	}
	id, call := c.register(r)
	line := appendCommand(make([]byte, 0, usualLine), r.verb, command, arguments, id)
	if len(r.files) > 0 || !c.sender.try(line) {
		select {
		case c.outgoing <- message{line, r.files}: // there is room, for a place is ours
			sent = true
		case <-c.done:
		}
		if c.Err() != nil {
			c.dropUnsent()
		}
	}
	return c.await(ctx, call)
}

// admit waits until the request may be sent.
func (c *Client) admit(ctx context.Context, r request) error {
	if r.turn != nil { // first, so that those who wait for it leave the places to others
		if err := c.enter(ctx, r.turn); err != nil {
			return err
		}
	}
	err := c.enter(ctx, r.place)
	if err != nil && r.turn != nil {
		<-r.turn
	}
	return err
}

func (c *Client) enter(ctx context.Context, place chan struct{}) error {
	select {
	case place <- struct{}{}:
		return nil
	case <-c.done:
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// register chooses the request's id and notes who waits for the reply.
func (c *Client) register(r request) (id int64, call *pendingCall) {
	call = &pendingCall{came: make(chan struct{}), place: r.place, turn: r.turn}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	c.pending[c.lastID] = call
	return c.lastID, call
}

// usualLine is how long most commands are, at most, written down.
const usualLine = 128

// appendCommand appends the line of a command, by hand as [Reply.AppendPieces] does.
// arguments may be nil.
func appendCommand(dst []byte, verb, command string, arguments any, id int64) []byte {
	dst = append(qobject.AppendString(append(dst, '{'), verb), ": "...)
	dst = qobject.AppendString(dst, command)
	if arguments != nil {
		dst = qobject.Append(append(dst, `, "arguments": `...), arguments)
	}
	dst = strconv.AppendInt(append(dst, `, "id": `...), id, 10)
	return append(dst, "}\n"...)
}

func (c *Client) await(ctx context.Context, call *pendingCall) (any, error) {
	select {
	case <-call.came:
		return unpack(call.reply)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.done:
	}
	select {
	case <-call.came: // the last thing the server said
		return unpack(call.reply)
	default:
		return nil, c.Err()
	}
}

// Done is closed when the connection is gone; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns nil while the connection stands, and later an error that matches
// [ErrClosed] and, if it did not end by Close, tells the reason.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failure
}

// Close ends the connection and waits for the Client's goroutines. Calls under
// way fail with [ErrClosed]. It may be called more than once.
func (c *Client) Close() error {
	c.fail(nil)
	c.goroutines.Wait()
	return nil
}

// fail ends the connection for a reason, or by Close if there is none. Only
// the first call counts.
func (c *Client) fail(reason error) {
	failure := ErrClosed
	if reason != nil {
		failure = fmt.Errorf("%w: %w", ErrClosed, reason)
	}
	c.mu.Lock()
	first := c.failure == nil
	if first {
		c.failure = failure
	}
	c.mu.Unlock()
	if first {
		close(c.done)
		c.events.close()
		c.conn.Close()
	}
}
