package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"

	"github.com/backplane-vm/backplane/internal/hostfile"
	"github.com/backplane-vm/backplane/qapi/qerr"
)

// maxFile bounds a file of certificates.
const maxFile = 4 << 20

// What GnuTLS says.
const (
	saysNoHeader  = "Base64 unexpected header error."
	saysNoBase64  = "Base64 decoding error."
	saysNoASN1    = "ASN1 parser: Error in TAG."
	saysNoKey     = "The requested data were not available."
	saysMismatch  = "The certificate and the given key do not match."
	saysEncrypted = "Decryption has failed."
	saysUnread    = "Error while reading file."
)

// files are the paths; "" is one that is not there and need not be.
type files struct{ ca, crl, cert, key string }

// find looks for the files of one end.
func find(o *Options) (f files, err error) {
	type file struct {
		path     *string
		name     string
		required bool
	}
	list := []file{{&f.ca, "ca-cert.pem", true}}
	if o.Server {
		list = append(list, file{&f.crl, "ca-crl.pem", false}, file{&f.cert, "server-cert.pem", true}, file{&f.key, "server-key.pem", true})
	} else {
		list = append(list, file{&f.cert, "client-cert.pem", false}, file{&f.key, "client-key.pem", false})
	}
	if o.Dir == "" {
		return f, qerr.New("Missing 'dir' property value")
	}
	for _, x := range list {
		path := o.Dir + "/" + x.name
		switch _, err := os.Stat(path); {
		case err == nil:
			*x.path = path
		case x.required || !errors.Is(err, fs.ErrNotExist):
			return f, qerr.New("Unable to access credentials %s: %s", path, qerr.Reason(err))
		}
	}
	return f, nil
}

// read returns what a file holds.
func read(path string) ([]byte, error) {
	text, _, err := hostfile.Read(path, maxFile)
	return text, err
}

// certificates reads all that are in PEM. found is how many there seemed to be.
func certificates(text []byte) (list []*x509.Certificate, found int, err error) {
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			return list, found, nil
		}
		if b.Type != "CERTIFICATE" && b.Type != "X509 CERTIFICATE" {
			continue
		}
		found++
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, found, err
		}
		list = append(list, c)
	}
}

// trusted reads whom to trust. A file without certificates trusts nobody.
func (f *files) trusted() ([]*x509.Certificate, error) {
	text, err := read(f.ca)
	if err != nil {
		return nil, qerr.New("Cannot load CA certificate '%s': %s", f.ca, saysUnread)
	}
	list, _, err := certificates(text)
	if err != nil {
		return nil, qerr.New("Cannot load CA certificate '%s': %s", f.ca, saysNoASN1)
	}
	return list, nil
}

// pair reads our own certificate, those that lead from it to an authority, and
// the private key.
func (f *files) pair(password []byte) (tls.Certificate, error) {
	fail := func(why string) (tls.Certificate, error) {
		return tls.Certificate{}, qerr.New("Cannot load certificate '%s' & key '%s': %s", f.cert, f.key, why)
	}
	text, err := read(f.cert)
	if err != nil {
		return fail(saysUnread)
	}
	list, found, err := certificates(text)
	switch {
	case err != nil:
		return fail(saysNoASN1)
	case found == 0:
		return fail(saysNoBase64)
	}
	if text, err = read(f.key); err != nil {
		return fail(saysUnread)
	}
	key, err := privateKey(text, password)
	if err != nil {
		return fail(err.Error())
	}
	if !key.Public().(publicKey).Equal(list[0].PublicKey) {
		return fail(saysMismatch)
	}
	own := tls.Certificate{PrivateKey: key, Leaf: list[0]}
	for _, c := range list {
		own.Certificate = append(own.Certificate, c.Raw)
	}
	return own, nil
}

// revocations reads whom no longer to trust.
func (f *files) revocations() (list []*x509.RevocationList, err error) {
	if f.crl == "" {
		return nil, nil
	}
	text, err := read(f.crl)
	if err != nil {
		return nil, qerr.New("Cannot load CRL '%s': %s", f.crl, saysUnread)
	}
	for {
		var b *pem.Block
		if b, text = pem.Decode(text); b == nil {
			break
		}
		if b.Type != "X509 CRL" {
			continue
		}
		crl, err := x509.ParseRevocationList(b.Bytes)
		if err != nil {
			return nil, qerr.New("Cannot load CRL '%s': %s", f.crl, saysNoASN1)
		}
		list = append(list, crl)
	}
	if len(list) == 0 {
		return nil, qerr.New("Cannot load CRL '%s': %s", f.crl, saysNoBase64)
	}
	return list, nil
}
