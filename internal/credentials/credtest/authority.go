// Package credtest makes certificates for tests: an authority, what it issues
// and revokes, and folders of files as package credentials reads them.
//
// Everything is for the test's goroutine; failures end the test.
package credtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Epoch is when all certificates begin to be good; they are for a century.
func Epoch() time.Time { return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) }

// A Pair is a certificate with its private key.
type Pair struct {
	Cert *x509.Certificate
	Key  *ecdsa.PrivateKey
}

// An Authority issues certificates.
type Authority struct {
	Pair
	serial int64
}

// Edit changes a certificate before it is signed.
type Edit func(*x509.Certificate)

// NewAuthority makes an authority with a certificate of its own signature.
func NewAuthority(t testing.TB, name string, edits ...Edit) *Authority {
	t.Helper()
	a := &Authority{serial: 1}
	a.Pair = a.issue(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, edits)
	return a
}

// Server issues the certificate of a server on this host.
func (a *Authority) Server(t testing.TB, edits ...Edit) *Pair {
	t.Helper()
	p := a.issue(t, &a.Pair, &x509.Certificate{
		Subject: pkix.Name{CommonName: "server"}, KeyUsage: x509.KeyUsageDigitalSignature,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, edits)
	return &p
}

// Client issues the certificate of a client. Its name is
// "C=GB,O=Acme\, Inc,CN=" and then name.
func (a *Authority) Client(t testing.TB, name string, edits ...Edit) *Pair {
	t.Helper()
	p := a.issue(t, &a.Pair, &x509.Certificate{
		Subject:     pkix.Name{Country: []string{"GB"}, Organization: []string{"Acme, Inc"}, CommonName: name},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, edits)
	return &p
}

// issue signs a certificate for a new key: by itself if there is no signer.
func (a *Authority) issue(t testing.TB, signer *Pair, c *x509.Certificate, edits []Edit) Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(a.serial)
	a.serial++
	c.NotBefore, c.NotAfter = Epoch(), Epoch().AddDate(100, 0, 0)
	for _, edit := range edits {
		edit(c)
	}
	by := Pair{c, key}
	if signer != nil {
		by = *signer
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.Cert, &key.PublicKey, by.Key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{cert, key}
}

// Revocations is a list of the certificates, in PEM, as of Epoch and good until
// then.
func (a *Authority) Revocations(t testing.TB, until time.Time, revoked ...*Pair) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: Epoch(), NextUpdate: until}
	for _, p := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries,
			x509.RevocationListEntry{SerialNumber: p.Cert.SerialNumber, RevocationTime: Epoch()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.Cert, a.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
}

// CertPEM returns the certificate as a file has it.
func (p *Pair) CertPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Cert.Raw})
}

// KeyPEM returns the private key as a file has it.
func (p *Pair) KeyPEM(t testing.TB) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TLS returns the pair for package tls.
func (p *Pair) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{p.Cert.Raw}, PrivateKey: p.Key, Leaf: p.Cert}
}

// Pool returns the authority as the only one that is trusted.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Cert)
	return pool
}

// Folder makes a folder with the authority's certificate and those of a server
// and a client, either of which may be nil.
func (a *Authority) Folder(t testing.TB, server, client *Pair) string {
	t.Helper()
	dir := t.TempDir()
	Write(t, dir, "ca-cert.pem", a.CertPEM())
	for name, p := range map[string]*Pair{"server": server, "client": client} {
		if p != nil {
			Write(t, dir, name+"-cert.pem", p.CertPEM())
			Write(t, dir, name+"-key.pem", p.KeyPEM(t))
		}
	}
	return dir
}

// Write writes a file of a folder.
func Write(t testing.TB, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}
