package credentials

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

func pool(list []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range list {
		p.AddCert(c)
	}
	return p
}

// chains returns the ways from the first certificate, over the others, to one
// that is trusted.
func chains(sent []*x509.Certificate, trusted *x509.CertPool, now time.Time) ([][]*x509.Certificate, error) {
	return sent[0].Verify(x509.VerifyOptions{
		Roots: trusted, Intermediates: pool(sent[1:]), CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
}

// reason is a failed verification in QEMU's words.
func reason(err error) string {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var weak x509.InsecureAlgorithmError
	switch {
	case errors.As(err, &weak):
		return "The certificate uses an insecure algorithm"
	case errors.As(err, &unknown):
		return "The certificate hasn't got a known issuer"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "The certificate has expired"
	}
	return "The certificate is not trusted"
}

// verifyPeer looks at what the other end has sent: whether it is to be trusted,
// let in, and who it should be (host, "" for anybody).
func (c *Credentials) verifyPeer(sent []*x509.Certificate, host string, allow Allow) error {
	if len(sent) == 0 {
		return qerr.New("Verify failed: No certificate was found.")
	}
	found, err := chains(sent, c.roots, c.now())
	if err != nil {
		return qerr.New("%s", reason(err))
	}
	if err := c.checkRevoked(found); err != nil {
		return err
	}
	if allow != nil {
		name := Name(sent[0])
		if err := allow(name); err != nil {
			return err
		}
	}
	if host != "" && !isFor(sent[0], host) {
		return qerr.New("Certificate does not match the hostname %s", host)
	}
	return nil
}

// checkRevoked wants a chain none of whose certificates has been revoked.
func (c *Credentials) checkRevoked(found [][]*x509.Certificate) (err error) {
	for _, chain := range found {
		if err = c.checkChain(chain); err == nil {
			return nil
		}
	}
	return err
}

func (c *Credentials) checkChain(chain []*x509.Certificate) error {
	for i, cert := range chain[:len(chain)-1] {
		for _, crl := range c.revoked {
			switch {
			case !bytes.Equal(crl.RawIssuer, chain[i+1].RawSubject):
				continue // another's; what the folder holds needs no proof by signature
			case lists(crl, cert):
				return qerr.New("The certificate has been revoked")
			case !crl.NextUpdate.IsZero() && crl.NextUpdate.Before(c.now()):
				return qerr.New("The certificate is not trusted") // nobody knows any more
			}
		}
	}
	return nil
}

func lists(crl *x509.RevocationList, cert *x509.Certificate) bool {
	return slices.ContainsFunc(crl.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool {
		return e.SerialNumber.Cmp(cert.SerialNumber) == 0
	})
}

// isFor reports whether the certificate is that of the host, which is a name or
// an address.
func isFor(cert *x509.Certificate, host string) bool {
	if names, _ := extension(cert, 17); names {
		return cert.VerifyHostname(host) == nil
	}
	return strings.EqualFold(cert.Subject.CommonName, host) && commonNames(cert) == 1
}

func commonNames(cert *x509.Certificate) (n int) {
	for _, a := range cert.Subject.Names {
		if a.Type.Equal(asn1.ObjectIdentifier{2, 5, 4, 3}) {
			n++
		}
	}
	return n
}
