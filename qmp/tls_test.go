package qmp_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/credentials/credtest"
	"github.com/backplane-vm/backplane/qmp"
)

// serveTLS answers one client, which must have a certificate, and returns where.
func serveTLS(t *testing.T, ca *credtest.Authority, script func(*fakeServer)) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{ca.Server(t).TLS()}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		script(&fakeServer{t, conn, bufio.NewScanner(conn)})
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

func TestDialTLS(t *testing.T) {
	ca := credtest.NewAuthority(t, "CA")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	good := &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{ca.Client(t, "c").TLS()}}
	at := serveTLS(t, ca, func(s *fakeServer) {
		s.accept()
		_, id := s.receive()
		s.send(`{"return": {"status": "running"}, "id": %d}`+"\r\n", id)
	})
	c, err := qmp.DialTLS(ctx, "tcp", at, good)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var reply struct{ Status string }
	if err := c.Execute(ctx, "query-status", nil, &reply); err != nil || reply.Status != "running" {
		t.Errorf("%+v, %v", reply, err)
	}

	at = serveTLS(t, ca, (*fakeServer).accept)
	var unknown x509.UnknownAuthorityError
	if _, err := qmp.DialTLS(ctx, "tcp", at, &tls.Config{RootCAs: credtest.NewAuthority(t, "other").Pool()}); !errors.As(err, &unknown) {
		t.Errorf("a server that nobody knows: %v", err)
	}
	at = serveTLS(t, ca, (*fakeServer).accept)
	var refused *net.OpError // what the server says of it
	if _, err := qmp.DialTLS(ctx, "tcp", at, &tls.Config{RootCAs: ca.Pool()}); !errors.As(err, &refused) && !errors.Is(err, qmp.ErrClosed) {
		t.Errorf("a client without certificate: %v", err)
	}
}
