package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// Options say where the files are and how strict to be.
type Options struct {
	Dir    string
	Server bool // for the end that is connected to, else for the one that connects
	// VerifyPeer has the other end's certificate checked. Without, a server does
	// not ask for one.
	VerifyPeer bool
	// SanityCheck has our own certificates checked when they are loaded.
	SanityCheck bool
	// Priority is a string of GnuTLS's, as far as it can be honoured; "" is NORMAL.
	Priority string
	// Password gives what the private key is encrypted with; nil for none.
	Password func() ([]byte, error)
	// Now is the wall clock.
	Now func() time.Time
}

// Credentials are certificates that have been read.
type Credentials struct {
	server, verify bool
	config         *tls.Config // not yet with what is looked at in a handshake
	roots          *x509.CertPool
	authorities    []*x509.Certificate
	revoked        []*x509.RevocationList
	now            func() time.Time
}

// Server reports for which end they are.
func (c *Credentials) Server() bool { return c.server }

// VerifiesPeer reports whether the other end has to have a certificate.
func (c *Credentials) VerifiesPeer() bool { return c.verify }

// Load reads the files that the options name.
func Load(o Options) (*Credentials, error) {
	versions, err := parsePriority(o.Priority)
	if err != nil {
		return nil, err
	}
	f, err := find(&o)
	if err != nil {
		return nil, err
	}
	if o.SanityCheck {
		if err := f.check(&o); err != nil {
			return nil, err
		}
	}
	c := &Credentials{server: o.Server, verify: o.VerifyPeer, roots: x509.NewCertPool(), now: o.Now}
	c.config = &tls.Config{
		MinVersion: versions.low, MaxVersion: versions.high, Time: o.Now,
		SessionTicketsDisabled: true, // who is let in is looked at each time
	}
	if c.authorities, err = f.trusted(); err != nil {
		return nil, err
	}
	for _, a := range c.authorities {
		c.roots.AddCert(a)
	}
	if c.config.Certificates, err = f.own(&o); err != nil {
		return nil, err
	}
	c.revoked, err = f.revocations()
	return c, err
}

// own reads our own certificate, if there is one.
func (f *files) own(o *Options) ([]tls.Certificate, error) {
	if f.cert == "" || f.key == "" {
		return nil, nil
	}
	var password []byte
	if o.Password != nil {
		var err error
		if password, err = o.Password(); err != nil {
			return nil, err
		}
	}
	pair, err := f.pair(password)
	return []tls.Certificate{pair}, err
}
