package main

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/backplane-vm/backplane/internal/credentials/credtest"
)

// overTLS lets clients with a certificate of the authority's come to a unix
// socket, and returns where.
func overTLS(t *testing.T, ca *credtest.Authority, network, where, path string) string {
	t.Helper()
	l, err := tls.Listen(network, where, &tls.Config{
		Certificates: []tls.Certificate{ca.Server(t).TLS()}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
	})
	if err != nil {
		t.Fatal(err)
	}
	var done sync.WaitGroup
	pipe := func(from, to net.Conn) {
		_, _ = io.Copy(to, from)
		from.Close()
		to.Close()
	}
	done.Go(func() {
		for {
			outside, err := l.Accept()
			if err != nil {
				return
			}
			inside, err := net.Dial("unix", path)
			if err != nil {
				t.Error(err)
				outside.Close()
				continue
			}
			done.Go(func() { pipe(outside, inside) })
			done.Go(func() { pipe(inside, outside) })
		}
	})
	t.Cleanup(func() { l.Close(); done.Wait() })
	return l.Addr().String()
}

func TestTLS(t *testing.T) {
	s := newQMPServer(t)
	ca, other := credtest.NewAuthority(t, "CA"), credtest.NewAuthority(t, "other")
	known := ca.Folder(t, nil, ca.Client(t, "c"))
	at := overTLS(t, ca, "tcp", "127.0.0.1:0", s.path)
	unix := overTLS(t, ca, "unix", t.TempDir()+"/s", s.path)
	for _, c := range []struct {
		args     []string
		out, err string // what is in them
		status   int
	}{
		{[]string{"-tls", known, at, "query-status"}, "running", "", statusOK},
		{[]string{at, "--tls=" + known, "query-status"}, "running", "", statusOK},
		{[]string{"-tls", known, "-tls-host", "localhost", unix, "query-status"}, "running", "", statusOK},
		{[]string{"-tls", known, unix, "query-status"}, "", "TLS over a unix socket needs --tls-host", statusUsage},
		{[]string{"-tls-host", "x", at}, "", "--tls-host needs --tls", statusUsage},
		{[]string{"-tls", known, "-tls-host", "x", at, "query-status"}, "", "Certificate does not match the hostname x", statusUsage},
		{[]string{"-tls", other.Folder(t, nil, nil), at, "query-status"}, "", "The certificate hasn't got a known issuer", statusUsage},
		{[]string{"-tls", ca.Folder(t, nil, nil), at, "query-status"}, "", "certificate required", statusUsage},
		{[]string{"-tls", "/nonesuch", at, "query-status"}, "", "Unable to access credentials /nonesuch/ca-cert.pem: No such file or directory", statusUsage},
	} {
		got := runWith("", append([]string{"qmp"}, c.args...)...)
		if got.status != c.status || !strings.Contains(got.out, c.out) || !strings.Contains(got.err, c.err) {
			t.Errorf("%v: %+v", c.args, got)
		}
	}
}

func TestHMPOverTLS(t *testing.T) {
	s := newHMPServer(t, func(*hmpServer) {})
	ca := credtest.NewAuthority(t, "CA")
	at := overTLS(t, ca, "tcp", "127.0.0.1:0", s.path)
	got := runWith("", "hmp", "-tls", ca.Folder(t, nil, ca.Client(t, "c")), at, "info", "status")
	if got.status != statusOK || !strings.Contains(got.out, "VM status") {
		t.Errorf("%+v", got)
	}
}
