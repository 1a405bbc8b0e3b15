package main

import (
	"context"
	"errors"
	"flag"
	"net"
	"time"

	"github.com/backplane-vm/backplane/internal/credentials"
)

// tlsOptions are the flags by which a monitor is talked to over TLS.
type tlsOptions struct{ dir, host string }

func (o *tlsOptions) declare(flags *flag.FlagSet) {
	flags.StringVar(&o.dir, "tls", "", "talk TLS, with the certificates in `DIR`: ca-cert.pem, and client-cert.pem with\nclient-key.pem if the server wants to know who comes")
	flags.StringVar(&o.host, "tls-host", "", "the `NAME` that is in the server's certificate (default: ADDRESS's host)")
}

// apply makes a the address of a server that talks TLS, if that is asked for.
func (o *tlsOptions) apply(a *address) error {
	if o.dir == "" {
		if o.host != "" {
			return errors.New("--tls-host needs --tls")
		}
		return nil
	}
	if a.host = o.host; a.host == "" {
		if a.network == "unix" {
			return errors.New("TLS over a unix socket needs --tls-host")
		}
		host, _, err := net.SplitHostPort(a.where)
		if err != nil {
			return err
		}
		if a.host = host; host == "" {
			a.host = "localhost" // which is where net.Dial goes
		}
	}
	var err error
	a.creds, err = credentials.Load(credentials.Options{Dir: o.dir, VerifyPeer: true, SanityCheck: true, Now: time.Now})
	return err
}

// secure shakes hands on conn, unless a is a plain address.
func (a address) secure(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if a.creds == nil {
		return conn, nil
	}
	secure, err := a.creds.Connect(ctx, conn, a.host, nil)
	if err != nil { // no typed nil
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return secure, nil
}
