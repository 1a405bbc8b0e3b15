package e2e

import (
	"bufio"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/qmp"
)

// lineConn is a socket spoken over in lines, with a time limit.
type lineConn struct {
	net.Conn
	r *bufio.Reader
}

// dialUnix connects to a socket; a server that has made it and does not listen yet
// is waited for.
func dialUnix(t *testing.T, socket string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	for end := time.Now().Add(patience); errors.Is(err, syscall.ECONNREFUSED) && time.Now().Before(end); {
		<-time.After(time.Millisecond)
		conn, err = net.Dial("unix", socket)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// dialLines is dialUnix for who speaks in lines.
func dialLines(t *testing.T, socket string) *lineConn {
	t.Helper()
	conn := dialUnix(t, socket)
	return &lineConn{Conn: conn, r: bufio.NewReader(conn)}
}

// dialQMP is dialUnix for a client that negotiates.
func dialQMP(t *testing.T, socket string) *qmp.Client {
	t.Helper()
	client, err := qmp.NewClient(t.Context(), dialUnix(t, socket))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func (c *lineConn) read() (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	line, err := c.r.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

// readTo reads up to and including the text, such as a prompt.
func (c *lineConn) readTo(text string) (string, error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	var all strings.Builder
	for !strings.HasSuffix(all.String(), text) {
		b, err := c.r.ReadByte()
		if err != nil {
			return all.String(), err
		}
		all.WriteByte(b)
	}
	return all.String(), nil
}

func (c *lineConn) write(text string) error {
	_, err := c.Write([]byte(text))
	return err
}
