package qmptest

import (
	"net"
	"sync"
	"testing"

	"github.com/backplane-vm/backplane/qapi/qobject"
	"github.com/backplane-vm/backplane/qmp"
)

// A Fake is a server that does what a test's script says, be it right or
// wrong. Its methods are the script's. What fails because the client has hung
// up is no error: the client's side shows it.
type Fake struct {
	t      testing.TB
	conn   net.Conn
	parser qobject.Parser
	said   []Asked // by the client, and not yet received
}

// Asked is a request that a Fake has received.
type Asked struct {
	Command string
	OOB     bool
	Args    *qobject.Dict // empty without arguments
	ID      any
}

// NewFake returns the client's end of a connection whose other end script
// serves, in a goroutine of its own; when it returns, the server hangs up. Both
// are gone at the end of the test. What the server sends has the faults given.
func NewFake(t testing.TB, script func(*Fake), faults ...Fault) net.Conn {
	t.Helper()
	ours, theirs := net.Pipe()
	f := &Fake{t: t, conn: Faulty(theirs, faults...)}
	var server sync.WaitGroup
	server.Go(func() {
		defer theirs.Close()
		script(f)
	})
	t.Cleanup(func() {
		ours.Close()
		server.Wait()
	})
	return ours
}

// Say sends text as it is.
func (f *Fake) Say(text string) {
	_, _ = f.conn.Write([]byte(text)) // the client's side shows it
}

// Tell sends a message of the given members.
func (f *Fake) Tell(keysAndValues ...any) {
	f.Say(qobject.Encode(qobject.Members(keysAndValues...)) + "\r\n")
}

// Greet sends a greeting.
func (f *Fake) Greet(v qmp.Version, oob bool) { f.Say(qobject.Encode(qmp.Greeting(v, oob)) + "\r\n") }

// Accept greets, and says yes to qmp_capabilities.
func (f *Fake) Accept() {
	f.Greet(qmp.Version{Major: 10}, true)
	if a, ok := f.Receive(); ok {
		f.Reply(a, nil)
	}
}

// Event sends an event; data may be nil.
func (f *Fake) Event(name string, data any) {
	d := qobject.Members("timestamp", qobject.Members("seconds", int64(-1), "microseconds", int64(-1)), "event", name)
	if data != nil {
		d.Set("data", data)
	}
	f.Say(qobject.Encode(d) + "\r\n")
}

// Reply answers a request; a nil result is {}.
func (f *Fake) Reply(a Asked, result any) {
	if result == nil {
		result = qobject.NewDict()
	}
	f.Tell("return", result, "id", a.ID)
}

// Fail answers a request with an error.
func (f *Fake) Fail(a Asked, class, desc string) {
	f.Tell("error", qobject.Members("class", class, "desc", desc), "id", a.ID)
}

// Receive returns the client's next request; false once it has hung up. What
// is no request fails the test.
func (f *Fake) Receive() (Asked, bool) {
	buf := make([]byte, 4096)
	for len(f.said) == 0 {
		n, err := f.conn.Read(buf)
		f.parser.Feed(buf[:n], f.note)
		if err != nil && len(f.said) == 0 {
			return Asked{}, false
		}
	}
	a := f.said[0]
	f.said = f.said[1:]
	return a, true
}

func (f *Fake) note(v any, err error) {
	d, ok := v.(*qobject.Dict)
	if err != nil || !ok {
		f.t.Errorf("the client said %v, %v", v, err)
		return
	}
	a := Asked{OOB: d.Has("exec-oob"), Args: qobject.NewDict()}
	verb := "execute"
	if a.OOB {
		verb = "exec-oob"
	}
	name, _ := d.Get(verb)
	args, _ := d.Get("arguments")
	a.ID, _ = d.Get("id")
	if a.Command, ok = name.(string); !ok {
		f.t.Errorf("the client said %s", qobject.Encode(d))
	}
	if d, ok := args.(*qobject.Dict); ok {
		a.Args = d
	}
	f.said = append(f.said, a)
}
