package qmp

import (
	"errors"
	"fmt"
	"io"

	"github.com/backplane-vm/backplane/qapi/qerr"
	"github.com/backplane-vm/backplane/qapi/qobject"
)

// clientLimits are what one message of a server may cost a client. A server is
// trusted further than a client is: the reply may be as large as any there is,
// but a stream that never ends a message is noticed.
var clientLimits = qobject.Limits{
	TokenBytes: 1 << 30,
	Tokens:     1 << 27,
	Nesting:    qobject.MaxNesting,
}

// readSize is how much is read at once.
const readSize = 64 << 10

// read is the reading goroutine: it takes the server's messages apart until
// the connection ends.
func (c *Client) read() {
	parser := qobject.Parser{Limits: clientLimits}
	buf := make([]byte, readSize)
	var bad error
	take := func(v any, err error) bool {
		if bad = err; bad == nil {
			bad = c.receive(v)
		}
		return bad == nil
	}
	for {
		n, err := c.conn.Read(buf)
		parser.FeedSome(buf[:n], take)
		switch {
		case bad != nil:
			c.fail(fmt.Errorf("the server does not speak QMP: %w", bad))
			return
		case errors.Is(err, io.EOF) && parser.Partial():
			c.fail(io.ErrUnexpectedEOF)
			return
		case err != nil:
			c.fail(err)
			return
		}
	}
}

// write is the writing goroutine. That it is one of its own lets a caller give
// up without leaving half a line behind.
func (c *Client) write() {
	defer c.dropUnsent()
	for {
		var m message
		select {
		case m = <-c.outgoing:
		case <-c.sender.kick:
		case <-c.done:
			return
		}
		if err := c.sender.write(m); err != nil {
			c.fail(err)
			return
		}
	}
}

// dropUnsent closes the files of what nobody will write any more. Whoever puts a
// message there once the connection is gone calls it too.
func (c *Client) dropUnsent() {
	for {
		select {
		case m := <-c.outgoing:
			closeFiles(m.files)
		default:
			return
		}
	}
}

// receive takes one message of the server.
func (c *Client) receive(v any) error {
	d, ok := v.(*qobject.Dict)
	switch {
	case !ok:
		return fmt.Errorf("it sent a %s", qobject.KindOf(v))
	case d.Has("event"):
		return c.receiveEvent(d)
	case d.Has("return") || d.Has("error"):
		return c.receiveReply(d)
	case d.Has("QMP"):
		return c.receiveGreeting(d)
	}
	return errors.New("it sent neither a reply nor an event")
}

func (c *Client) receiveGreeting(d *qobject.Dict) error {
	v, _ := d.Get("QMP")
	greeting, ok := v.(*qobject.Dict)
	if !ok {
		return errors.New("its greeting is no object")
	}
	select {
	case <-c.greeted:
		return errors.New("it greets twice")
	default:
	}
	c.greeting = greeting
	close(c.greeted)
	return nil
}

func (c *Client) receiveEvent(d *qobject.Dict) error {
	name, _ := d.Get("event")
	data, _ := d.Get("data")
	stamp, _ := d.Get("timestamp")
	ev := Received{Time: Timestamp{-1, -1}}
	var ok bool
	if ev.Name, ok = name.(string); !ok {
		return errors.New("it sent an event without a name")
	}
	ev.Data, _ = data.(*qobject.Dict)
	if at, ok := stamp.(*qobject.Dict); ok {
		seconds, _ := at.Get("seconds")
		micros, _ := at.Get("microseconds")
		ev.Time.Seconds, _ = seconds.(int64)
		ev.Time.Microseconds, _ = micros.(int64)
	}
	c.events.add(ev)
	return nil
}

// receiveReply hands a reply to its caller. One without an id says that the
// server could not read a line, and nobody can tell whose.
func (c *Client) receiveReply(d *qobject.Dict) error {
	v, _ := d.Get("id")
	id, ok := v.(int64)
	if !ok {
		if _, err := unpack(d); err != nil {
			return fmt.Errorf("it answered nobody: %w", err)
		}
		return errors.New("it answered nobody")
	}
	c.mu.Lock()
	call := c.pending[id]
	delete(c.pending, id)
	c.mu.Unlock()
	if call == nil {
		return fmt.Errorf("it answered %d, which was not asked", id)
	}
	call.reply = d
	close(call.came)
	call.answered()
	return nil
}

// unpack returns what a reply holds: a result, or the server's error.
func unpack(reply *qobject.Dict) (any, error) {
	if v, ok := reply.Get("return"); ok {
		return v, nil
	}
	v, _ := reply.Get("error")
	d, _ := v.(*qobject.Dict)
	class, _ := d.Get("class")
	desc, _ := d.Get("desc")
	className, ok1 := class.(string)
	text, ok2 := desc.(string)
	if !ok1 || !ok2 {
		return nil, fmt.Errorf("the error of the server cannot be read: %s", qobject.Encode(v))
	}
	return nil, &qerr.Error{Class: qerr.Class(className), Desc: text}
}
