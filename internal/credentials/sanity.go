package credentials

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io/fs"
	"slices"

	"github.com/backplane-vm/backplane/qapi/qerr"
)

// check refuses certificates with which no handshake would come to an end. What
// may not be read is left to whoever loads it.
func (f *files) check(o *Options) error {
	cert, err := f.ownForCheck(o)
	if err != nil {
		return err
	}
	authorities, err := f.trustedForCheck()
	if err != nil {
		return err
	}
	if len(cert) > 0 {
		if err := checkUse(cert[0], f.cert, o, false); err != nil {
			return err
		}
	}
	for _, a := range authorities {
		if err := checkUse(a, f.ca, o, true); err != nil {
			return err
		}
	}
	if len(cert) == 0 || len(authorities) == 0 {
		return nil
	}
	if _, err := chains(cert, pool(authorities), o.Now()); err != nil {
		return qerr.New("Our own certificate %s failed validation against %s: %s", f.cert, f.ca, reason(err))
	}
	return nil
}

// end is for messages.
func end(server bool) string {
	if server {
		return "server"
	}
	return "client"
}

func (f *files) ownForCheck(o *Options) ([]*x509.Certificate, error) {
	if f.cert == "" {
		return nil, nil
	}
	text, err := readForCheck(f.cert)
	if text == nil || err != nil {
		return nil, err
	}
	list, found, err := certificates(text)
	switch {
	case err != nil:
		return nil, qerr.New("Unable to import %s certificate %s: %s", end(o.Server), f.cert, saysNoASN1)
	case found == 0:
		return nil, qerr.New("Unable to import %s certificate %s: %s", end(o.Server), f.cert, saysNoHeader)
	}
	return list, nil
}

func (f *files) trustedForCheck() ([]*x509.Certificate, error) {
	text, err := readForCheck(f.ca)
	if text == nil || err != nil {
		return nil, err
	}
	list, found, err := certificates(text)
	if err != nil || found == 0 {
		return nil, qerr.New("Unable to import CA certificate list %s", f.ca)
	}
	return list, nil
}

// readForCheck returns nil for a file that may not be read.
func readForCheck(path string) ([]byte, error) {
	text, err := read(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, nil
	case err != nil:
		return nil, qerr.New("Cannot load CA cert list %s: Error reading file “%s”: %s", path, path, qerr.Reason(err))
	case text == nil:
		text = []byte{}
	}
	return text, nil
}

// checkUse checks whether c, from the file, may be what it is to be: an
// authority, or the certificate of one end.
func checkUse(c *x509.Certificate, file string, o *Options, authority bool) error {
	what := end(o.Server)
	if authority {
		what = "CA"
	}
	switch now := o.Now(); {
	case c.NotAfter.Before(now):
		return qerr.New("The %s certificate %s has expired", what, file)
	case c.NotBefore.After(now):
		return qerr.New("The %s certificate %s is not yet active", what, file)
	}
	switch {
	case c.IsCA && !authority:
		return qerr.New("The certificate %s basic constraints show a CA, but we need one for a %s", file, what)
	case authority && !c.BasicConstraintsValid:
		return qerr.New("The certificate %s is missing basic constraints for a CA", file)
	case authority && !c.IsCA:
		return qerr.New("The certificate %s basic constraints do not show a CA", file)
	}
	usage, critical := extension(c, 15)
	switch {
	case !usage || !critical:
	case authority && c.KeyUsage&x509.KeyUsageCertSign == 0:
		return qerr.New("Certificate %s usage does not permit certificate signing", file)
	case !authority && c.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return qerr.New("Certificate %s usage does not permit digital signature", file)
	}
	if !authority && !purposeAllows(c, o.Server) {
		return qerr.New("Certificate %s purpose does not allow use with a TLS %s", file, what)
	}
	return nil
}

func purposeAllows(c *x509.Certificate, server bool) bool {
	want := x509.ExtKeyUsageClientAuth
	if server {
		want = x509.ExtKeyUsageServerAuth
	}
	_, critical := extension(c, 37)
	return !critical || slices.Contains(c.ExtKeyUsage, want) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// extension looks for an extension of X.509 itself.
func extension(c *x509.Certificate, number int) (there, critical bool) {
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, number}) {
			return true, e.Critical
		}
	}
	return false, false
}
