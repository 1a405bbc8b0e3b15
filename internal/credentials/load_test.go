package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/backplane-vm/backplane/internal/credentials/credtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// today is when the tests take place.
func today() time.Time { return credtest.Epoch().AddDate(1, 0, 0) }

func options(dir string, server bool) Options {
	return Options{Dir: dir, Server: server, VerifyPeer: true, SanityCheck: true, Now: today}
}

func check(t *testing.T, err error, dir, want string) {
	t.Helper()
	want = strings.ReplaceAll(want, "DIR", dir)
	if (err == nil) != (want == "") || err != nil && err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestLoad has the words that QEMU 7.2 was heard to say of the same files.
func TestLoad(t *testing.T) {
	ca := credtest.NewAuthority(t, "CA")
	server, client := ca.Server(t), ca.Client(t, "c")
	stranger := credtest.NewAuthority(t, "other").Server(t)
	text := func(s string) func(t *testing.T, path string) {
		return func(t *testing.T, path string) { credtest.Write(t, filepath.Dir(path), filepath.Base(path), []byte(s)) }
	}
	gone := func(t *testing.T, path string) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	folder := func(t *testing.T, path string) {
		gone(t, path)
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	const pair = "Cannot load certificate 'DIR/server-cert.pem' & key 'DIR/server-key.pem': "
	bad := string(server.CertPEM())
	bad = strings.Replace(bad, "\nM", "\nN", 1)
	for _, c := range []struct {
		name, file   string
		spoil        func(t *testing.T, path string)
		want, unsane string // with the sanity check and without
	}{
		{"fine", "", nil, "", ""},
		{"no CA", "ca-cert.pem", gone, "Unable to access credentials DIR/ca-cert.pem: No such file or directory", "Unable to access credentials DIR/ca-cert.pem: No such file or directory"},
		{"no certificate", "server-cert.pem", gone, "Unable to access credentials DIR/server-cert.pem: No such file or directory", "Unable to access credentials DIR/server-cert.pem: No such file or directory"},
		{"garbage", "server-cert.pem", text("garbage"), "Unable to import server certificate DIR/server-cert.pem: Base64 unexpected header error.", pair + "Base64 decoding error."},
		{"empty", "server-cert.pem", text(""), "Unable to import server certificate DIR/server-cert.pem: Base64 unexpected header error.", pair + "Base64 decoding error."},
		{"no ASN.1", "server-cert.pem", text(bad), "Unable to import server certificate DIR/server-cert.pem: ASN1 parser: Error in TAG.", pair + "ASN1 parser: Error in TAG."},
		{"folder", "server-cert.pem", folder, "Cannot load CA cert list DIR/server-cert.pem: Error reading file “DIR/server-cert.pem”: Is a directory", pair + "Error while reading file."},
		{"garbage CA", "ca-cert.pem", text("garbage"), "Unable to import CA certificate list DIR/ca-cert.pem", ""},
		{"empty CA", "ca-cert.pem", text(""), "Unable to import CA certificate list DIR/ca-cert.pem", ""},
		{"garbage key", "server-key.pem", text("garbage"), pair + "The requested data were not available.", pair + "The requested data were not available."},
		{"folder key", "server-key.pem", folder, pair + "Error while reading file.", pair + "Error while reading file."},
		{"other key", "server-key.pem", text(string(client.KeyPEM(t))), pair + "The certificate and the given key do not match.", pair + "The certificate and the given key do not match."},
		{"garbage CRL", "ca-crl.pem", text("garbage"), "Cannot load CRL 'DIR/ca-crl.pem': Base64 decoding error.", "Cannot load CRL 'DIR/ca-crl.pem': Base64 decoding error."},
		{"stranger", "server-cert.pem", text(string(stranger.CertPEM())), "Our own certificate DIR/server-cert.pem failed validation against DIR/ca-cert.pem: The certificate hasn't got a known issuer", pair + "The certificate and the given key do not match."},
		{"CA as server", "server-cert.pem", text(string(ca.CertPEM())), "The certificate DIR/server-cert.pem basic constraints show a CA, but we need one for a server", pair + "The certificate and the given key do not match."},
		{"server as CA", "ca-cert.pem", text(string(server.CertPEM())), "The certificate DIR/ca-cert.pem is missing basic constraints for a CA", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := ca.Folder(t, server, client)
			if c.spoil != nil {
				c.spoil(t, filepath.Join(dir, c.file))
			}
			o := options(dir, true)
			_, err := Load(o)
			check(t, err, dir, c.want)
			o.SanityCheck = false
			_, err = Load(o)
			check(t, err, dir, c.unsane)
		})
	}
	_, err := Load(options("", true))
	check(t, err, "", "Missing 'dir' property value")
	for _, dir := range []string{ca.Folder(t, nil, nil), ca.Folder(t, nil, client)} {
		c, err := Load(options(dir, false))
		check(t, err, dir, "")
		if c.Server() || !c.VerifiesPeer() {
			t.Errorf("%+v", c)
		}
	}
}

func TestSanity(t *testing.T) {
	critical := func(number int, value any) credtest.Edit {
		return func(c *x509.Certificate) {
			der, err := asn1.Marshal(value)
			if err != nil {
				t.Fatal(err)
			}
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, number}, Critical: true, Value: der}}
			c.ExtKeyUsage = nil
		}
	}
	fine := credtest.NewAuthority(t, "CA")
	for _, c := range []struct {
		name   string
		ca     *credtest.Authority
		server []credtest.Edit
		want   string
	}{
		{"expired", fine, []credtest.Edit{func(c *x509.Certificate) { c.NotAfter = today().Add(-time.Hour) }}, "The server certificate DIR/server-cert.pem has expired"},
		{"early", fine, []credtest.Edit{func(c *x509.Certificate) { c.NotBefore = today().Add(time.Hour) }}, "The server certificate DIR/server-cert.pem is not yet active"},
		{"key usage", fine, []credtest.Edit{func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyAgreement }}, "Certificate DIR/server-cert.pem usage does not permit digital signature"},
		{"client", fine, []credtest.Edit{critical(37, []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 2}})}, "Certificate DIR/server-cert.pem purpose does not allow use with a TLS server"},
		{"both", fine, []credtest.Edit{critical(37, []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 2}, {1, 3, 6, 1, 5, 5, 7, 3, 1}})}, ""},
		{"mere advice", fine, []credtest.Edit{func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }}, ""},
		{"expired CA", credtest.NewAuthority(t, "CA", func(c *x509.Certificate) { c.NotAfter = today().Add(-time.Hour) }), nil, "The CA certificate DIR/ca-cert.pem has expired"},
		{"CA that does not sign", credtest.NewAuthority(t, "CA", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), nil, "Certificate DIR/ca-cert.pem usage does not permit certificate signing"},
		{"no CA", credtest.NewAuthority(t, "CA", func(c *x509.Certificate) { c.IsCA = false }), nil, "The certificate DIR/ca-cert.pem basic constraints do not show a CA"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := c.ca.Folder(t, c.ca.Server(t, c.server...), nil)
			_, err := Load(options(dir, true))
			check(t, err, dir, c.want)
			o := options(dir, true)
			o.SanityCheck = false
			_, err = Load(o)
			check(t, err, dir, "")
		})
	}
}

func TestPriority(t *testing.T) {
	for text, want := range map[string]versions{
		"": {tls.VersionTLS12, tls.VersionTLS13}, "NORMAL": {tls.VersionTLS12, tls.VersionTLS13},
		"NORMAL:-VERS-TLS1.2": {tls.VersionTLS13, tls.VersionTLS13}, "PFS:-VERS-TLS1.3:-VERS-TLS1.0": {tls.VersionTLS12, tls.VersionTLS12},
		"SECURE128:-VERS-ALL:+VERS-TLS1.3": {tls.VersionTLS13, tls.VersionTLS13},
	} {
		if got, err := parsePriority(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"FOO", "SECURE256", "@SYSTEM", "NORMAL:", "NORMAL:+ANON-DH", "NORMAL:-VERS-ALL", "NORMAL:+VERS-TLS1.1", "NORMAL:%COMPAT"} {
		_, err := parsePriority(text)
		check(t, err, "", "Cannot set default TLS session priority "+text+": backplane honours NORMAL, PFS or SECURE128, with -VERS-TLS1.2 or -VERS-TLS1.3")
	}
}

func FuzzPriority(f *testing.F) {
	f.Add("NORMAL:-VERS-ALL:+VERS-TLS1.2")
	f.Add("SECURE128::+")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := parsePriority(text)
		if err == nil && (v.low < tls.VersionTLS12 || v.high > tls.VersionTLS13 || v.low > v.high) {
			t.Fatalf("%q means %+v", text, v)
		}
	})
}
