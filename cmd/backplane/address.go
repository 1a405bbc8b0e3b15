package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/backplane-vm/backplane/internal/credentials"
)

// greetingPatience is how long a monitor may take to say its first word. One
// that serves somebody else accepts a connection and says nothing: QEMU's
// monitors have one client at a time.
const greetingPatience = 10 * time.Second

// errSilent is the cause when that time is over.
var errSilent = errors.New("the monitor says nothing; has it another client?")

// An address is where a monitor listens, as package net has it.
type address struct {
	network, where string

	creds *credentials.Credentials // to talk TLS; else nil
	host  string                   // whom the certificate should be for
}

// parseAddress reads PATH, unix:PATH, tcp:HOST:PORT or HOST:PORT. What ends in
// a colon and a number is a TCP address unless there is a slash in it.
func parseAddress(s string) (address, error) {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" {
			return address{}, fmt.Errorf("no path in address '%s'", s)
		}
		return address{network: "unix", where: path}, nil
	}
	rest, tcp := strings.CutPrefix(s, "tcp:")
	_, port, err := net.SplitHostPort(rest)
	_, bad := strconv.ParseUint(port, 10, 16)
	switch {
	case err == nil && bad == nil && (tcp || !strings.Contains(s, "/")):
		return address{network: "tcp", where: rest}, nil
	case tcp:
		return address{}, fmt.Errorf("address '%s' is not tcp:HOST:PORT", s)
	case s == "":
		return address{}, errors.New("the address is empty")
	}
	return address{network: "unix", where: s}, nil
}

// dial connects and hands the connection to greet, which has greetingPatience
// to hear from the server.
func dial[T any](ctx context.Context, a address, greet func(context.Context, net.Conn) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, greetingPatience, errSilent)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, a.network, a.where)
	if err != nil {
		var none T
		if deadline, _ := ctx.Deadline(); !time.Now().Before(deadline) {
			<-ctx.Done() // the dialer looks at the time itself, and may be first
		}
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return none, err
	}
	if conn, err = a.secure(ctx, conn); err != nil {
		var none T
		return none, err
	}
	return greet(ctx, conn)
}
