package credentials

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/backplane-vm/backplane/internal/credentials/credtest"
)

func load(t *testing.T, o Options) *Credentials {
	t.Helper()
	c, err := Load(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// talk has two ends shake hands and one word go in each direction.
func talk(t *testing.T, server, client func(ctx context.Context, c net.Conn) (*tls.Conn, error)) (serverErr, clientErr error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	end := func(conn net.Conn, err error, shake func(ctx context.Context, c net.Conn) (*tls.Conn, error)) error {
		if err != nil {
			return err
		}
		defer conn.Close()
		c, err := shake(ctx, conn)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.Write([]byte("word")); err != nil {
			return err
		}
		got := make([]byte, 4)
		if _, err := io.ReadFull(c, got); err == nil && string(got) != "word" {
			return errors.New("another word")
		} else if err != nil {
			return err
		}
		return nil
	}
	served := make(chan error)
	go func() {
		conn, err := l.Accept()
		served <- end(conn, err, server)
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	clientErr = end(conn, err, client)
	return <-served, clientErr
}

func TestHandshake(t *testing.T) {
	ca, other := credtest.NewAuthority(t, "CA"), credtest.NewAuthority(t, "other")
	server, alice, bob := ca.Server(t), ca.Client(t, "alice"), ca.Client(t, "bob")
	late := func(c *x509.Certificate) { c.NotAfter = today().Add(-time.Hour) }
	named := func(c *x509.Certificate) {
		c.DNSNames, c.IPAddresses, c.Subject = nil, nil, pkix.Name{CommonName: "Box"}
	}
	onlyAlice := func(name string) error {
		if name != `C=GB,O=Acme\, Inc,CN=alice` {
			return errors.New("no " + name)
		}
		return nil
	}
	for _, c := range []struct {
		name         string
		server       string // a folder
		client       string
		host         string
		options      func(server, client *Options)
		allow        Allow
		fails, cause string // "server", "client"; what that end says
	}{
		{name: "fine", client: ca.Folder(t, nil, alice)},
		{name: "TLS 1.2", client: ca.Folder(t, nil, alice), options: func(s, _ *Options) { s.Priority = "NORMAL:-VERS-TLS1.3" }},
		{name: "allowed", client: ca.Folder(t, nil, alice), allow: onlyAlice},
		{name: "by address", client: ca.Folder(t, nil, alice), host: "127.0.0.1"},
		{name: "common name", server: ca.Folder(t, ca.Server(t, named), nil), client: ca.Folder(t, nil, alice), host: "box"},
		{name: "not allowed", client: ca.Folder(t, nil, bob), allow: onlyAlice, fails: "server", cause: `no C=GB,O=Acme\, Inc,CN=bob`},
		{name: "no certificate", client: ca.Folder(t, nil, nil), fails: "server", cause: "Verify failed: No certificate was found."},
		{name: "nobody asks", client: ca.Folder(t, nil, nil), options: func(s, _ *Options) { s.VerifyPeer = false }},
		{name: "unknown client", client: ca.Folder(t, nil, other.Client(t, "eve")), options: func(_, c *Options) { c.SanityCheck = false }, fails: "server", cause: "The certificate hasn't got a known issuer"},
		{name: "late client", client: ca.Folder(t, nil, ca.Client(t, "x", late)), options: func(_, c *Options) { c.SanityCheck = false }, fails: "server", cause: "The certificate has expired"},
		{name: "unknown server", client: other.Folder(t, nil, nil), fails: "client", cause: "The certificate hasn't got a known issuer"},
		{name: "unknown server, never mind", client: other.Folder(t, nil, nil), options: func(s, c *Options) { s.VerifyPeer, c.VerifyPeer = false, false }},
		{name: "other host", client: ca.Folder(t, nil, alice), host: "nonesuch", fails: "client", cause: "Certificate does not match the hostname nonesuch"},
		{name: "common name that does not count", server: ca.Folder(t, ca.Server(t, func(c *x509.Certificate) { c.Subject.CommonName = "box" }), nil), client: ca.Folder(t, nil, alice), host: "box", fails: "client", cause: "Certificate does not match the hostname box"},
		{name: "no common version", client: ca.Folder(t, nil, alice), options: func(s, c *Options) { s.Priority, c.Priority = "NORMAL:-VERS-TLS1.2", "NORMAL:-VERS-TLS1.3" }, fails: "server", cause: "tls: client offered only unsupported versions: [303]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.server == "" {
				c.server = ca.Folder(t, server, nil)
			}
			if c.host == "" {
				c.host = "localhost"
			}
			so, co := options(c.server, true), options(c.client, false)
			if c.options != nil {
				c.options(&so, &co)
			}
			sc, cc := load(t, so), load(t, co)
			serverErr, clientErr := talk(t,
				func(ctx context.Context, conn net.Conn) (*tls.Conn, error) { return sc.Accept(ctx, conn, c.allow) },
				func(ctx context.Context, conn net.Conn) (*tls.Conn, error) { return cc.Connect(ctx, conn, c.host, nil) })
			switch {
			case c.fails == "" && (serverErr != nil || clientErr != nil):
				t.Error(serverErr, clientErr)
			case c.fails != "" && (serverErr == nil || clientErr == nil):
				t.Error("one end is content:", serverErr, clientErr)
			case c.fails == "server":
				check(t, serverErr, "", c.cause)
			case c.fails == "client":
				check(t, clientErr, "", c.cause)
			}
		})
	}
}

func TestRevoked(t *testing.T) {
	ca, other := credtest.NewAuthority(t, "CA"), credtest.NewAuthority(t, "other")
	alice, bob := ca.Client(t, "alice"), ca.Client(t, "bob")
	dir := ca.Folder(t, ca.Server(t), nil)
	later := today().AddDate(1, 0, 0)
	join := func(lists ...[]byte) []byte { return bytes.Join(lists, nil) }
	for _, c := range []struct {
		name       string
		crl        []byte
		alice, bob string
	}{
		{"alice", ca.Revocations(t, later, alice), "The certificate has been revoked", ""},
		{"nobody", ca.Revocations(t, later), "", ""},
		{"another's", other.Revocations(t, later, alice, bob), "", ""},
		{"two lists", join(other.Revocations(t, later), ca.Revocations(t, later, bob)), "", "The certificate has been revoked"},
		{"an old list", ca.Revocations(t, today().Add(-time.Hour), alice), "The certificate has been revoked", "The certificate is not trusted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			credtest.Write(t, dir, "ca-crl.pem", c.crl)
			creds := load(t, options(dir, true))
			check(t, creds.verifyPeer([]*x509.Certificate{alice.Cert}, "", nil), "", c.alice)
			check(t, creds.verifyPeer([]*x509.Certificate{bob.Cert}, "", nil), "", c.bob)
		})
	}
}

// TestGivenUp ends the handshake with somebody who says nothing.
func TestGivenUp(t *testing.T) {
	ca := credtest.NewAuthority(t, "CA")
	creds := load(t, options(ca.Folder(t, ca.Server(t), nil), true))
	a, b := net.Pipe()
	defer b.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := creds.Accept(ctx, a, nil)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := b.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is open")
	}
}
